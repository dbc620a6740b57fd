// Connects Uppy 6 and its plugin @uppy/aws-s3 to the API that serves this module:
//
//   const { nova } = await import("https://api.example.com/clients/nova-uppy.js");
//   uppy.use(AwsS3, nova(uppy, { token: () => session.token }));
//
// A file's `meta.caption` and `meta.alt` are the texts of its post; `meta.nova.post_id` is its id.
// A photo that the user uploads again within a day gets the post that it has, for a browser may
// repeat a request whose response was lost; `on_duplicate: "create"` makes another.

const ATTEMPTS = 5;
const isTemporary = (error) => [undefined, 429, 503].includes(error.status);
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function sha256(data) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await data.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The options of AwsS3. `token` is a bearer token, or a function that returns one. */
export function nova(uppy, { token, on_duplicate = "return", url = import.meta.url }) {
  const completions = new Map();

  async function call(path, body, attempt = 1) {
    try {
      const bearer = typeof token === "function" ? await token() : token;
      const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
      const request = { method: "POST", headers, body: JSON.stringify(body) };
      const response = await fetch(new URL(`/api/v1/posts/${path}`, url), request);
      const answer = await response.json();
      if (response.ok) return answer;
      const retryAfter = response.headers.get("retry-after");
      throw Object.assign(new Error(answer.detail), { status: response.status, retryAfter });
    } catch (error) {
      if (attempt === ATTEMPTS || !isTemporary(error)) throw error;
      await sleep(error.retryAfter ?? 2 ** attempt / 4);
      return call(path, body, attempt + 1);
    }
  }

  async function announce({ id, name: filename, type: content_type, size: file_size, data, meta }) {
    const photo = { filename, content_type, file_size, sha256: await sha256(data) };
    const texts = { caption: meta.caption, alt: meta.alt };
    const opened = await call("upload/init", { ...photo, ...texts, on_duplicate });
    uppy.setFileMeta(id, { nova: { post_id: opened.post_id, upload_token: opened.upload_token } });
    return opened;
  }

  async function renew(file) {
    const { post_id, upload_token } = file.meta.nova;
    return call(`${post_id}/upload/presign`, { upload_token }).catch((error) => {
      // 410: it was not uploaded in time. 404: it was deleted.
      if ([404, 410].includes(error.status)) return announce(file);
      throw error;
    });
  }

  async function signRequest({ key }) {
    const file = uppy.getFile(key);
    const opened = await (file.meta.nova?.post_id ? renew(file) : announce(file));
    // The browser sends the length; no script may set it.
    const { "content-length": _, ...headers } = opened.upload_headers;
    return { url: opened.presigned_url, headers, key: opened.post_id };
  }

  async function complete(file) {
    const { post_id, upload_token } = file.meta.nova;
    try {
      await call("upload/complete", { post_id, upload_token });
    } catch (error) {
      completions.delete(post_id);
      // When the file is retried, it is sent again only if the API refused to complete it.
      const { progress } = uppy.getFile(file.id);
      const uploadComplete = isTemporary(error);
      uppy.setFileState(file.id, { progress: { ...progress, uploadComplete } });
      uppy.emit("upload-error", uppy.getFile(file.id), error);
    }
  }

  function completeOnce(id) {
    const file = uppy.getFile(id);
    if (!file || file.error) return undefined;
    const { post_id } = file.meta.nova;
    if (!completions.has(post_id)) completions.set(post_id, complete(file));
    return completions.get(post_id);
  }

  uppy.on("upload-error", (file, error) => {
    if (error.status !== 412) return;
    // The store takes the bytes of a post once: it has them, and only its response was lost.
    uppy.setState({ error: null });
    uppy.setFileState(file.id, { error: null });
    uppy.hideInfo();
    const { post_id: key } = uppy.getFile(file.id).meta.nova;
    uppy.emit("upload-success", uppy.getFile(file.id), { status: 200, body: { key } });
  });
  uppy.on("upload-success", (file) => completeOnce(file.id));
  uppy.addPostProcessor((ids) => Promise.all(ids.map(completeOnce)));

  return { signRequest, generateObjectKey: (file) => file.id, shouldUseMultipart: false };
}
