// Publishes a photo with the client that @hey-api/openapi-ts generates; zod checks every body.
import { createClient } from "./hey-api/client";
import { completeUpload, getPost, initUpload } from "./hey-api/sdk.gen";
import { type Photo, announcement, loadPhoto, putPhoto, sleep } from "./photo";

async function publish(url: string, token: string, photo: Photo): Promise<string> {
  const client = createClient({ baseUrl: url, auth: token });
  const body = await announcement(photo);
  const opened = (await initUpload({ client, body, throwOnError: true })).data;
  await putPhoto(photo, opened.presigned_url, opened.upload_headers);
  const { post_id, upload_token } = opened;
  await completeUpload({ client, body: { post_id, upload_token }, throwOnError: true });
  for (;;) {
    const post = (await getPost({ client, path: { post_id }, throwOnError: true })).data;
    if (post.status === "published" || post.status === "failed") {
      return `${post.status} ${Object.keys(post.images).sort().join(" ")}`;
    }
    await sleep();
  }
}

loadPhoto().then(({ url, token, photo }) => publish(url, token, photo)).then(console.log);
