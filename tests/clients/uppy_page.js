// A page that uploads photos with Uppy, as `/order.json` says, and reports how it ended.
import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";

const send = (path, content) => fetch(path, { method: "POST", body: JSON.stringify(content) });

// The headers that scripts set, and not those that the browser adds.
const headers = new Set();
const { setRequestHeader } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
  headers.add(name.toLowerCase());
  return setRequestHeader.call(this, name, value);
};

async function upload() {
  const { api, token, photos, retries } = await (await fetch("/order.json")).json();
  const { nova } = await import(`${api}/clients/nova-uppy.js`);
  const uppy = new Uppy();
  uppy.use(AwsS3, nova(uppy, { token: () => token }));
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
  return { failures, files, headers: [...headers].sort() };
}

upload().then(
  (result) => send("/result", result),
  (error) => send("/result", { error: error.stack }),
);
