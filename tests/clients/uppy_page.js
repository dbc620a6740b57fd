// A page that uploads photos as `/order.json` says, by the JavaScript of docs/clients.md, and reports
// how it ended.
import { uploadInParts } from "./parts.js";
import { createUploader, fits } from "./uploader.js";

const send = (path, content) => fetch(path, { method: "POST", body: JSON.stringify(content) });

// The headers that scripts set, and not those that the browser adds.
const headers = new Set();
const { setRequestHeader } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
  headers.add(name.toLowerCase());
  return setRequestHeader.call(this, name, value);
};

async function sendParts(api, token, opened, name) {
  const call = async (path, body) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(body) };
    return (await fetch(`${api}/api/v1/posts/${path}`, request)).json();
  };
  return uploadInParts(await (await fetch(`/photos/${name}`)).blob(), opened, call);
}

async function upload() {
  const { api, token, photos, retries, opened } = await (await fetch("/order.json")).json();
  if (opened) return sendParts(api, token, opened, photos[0]);
  const uppy = await createUploader(api, { token });
  for (const name of photos) {
    const data = await (await fetch(`/photos/${name}`)).blob();
    uppy.addFile({ name, type: "image/jpeg", data, meta: { caption: name } });
  }
  let { failed } = await uppy.upload();
  const failures = failed.map((file) => file.error);
  for (let retry = 0; retry < retries && failed.length > 0; retry += 1) {
    await send("/failed", failures);
    ({ failed } = await uppy.retryAll());
  }
  const files = uppy.getFiles().map(({ name, error, progress, meta }) => ({
    name,
    error,
    complete: progress.complete,
    post_id: meta.nova.post_id,
  }));
  const longest = [fits("\u{1f467}".repeat(2200)), fits("\u{1f467}".repeat(2201))];
  return { failures, files, longest, headers: [...headers].sort() };
}

upload().then(
  (result) => send("/result", result),
  (error) => send("/result", { error: error.stack }),
);
