// Publishes a photo with openapi-fetch and the types that openapi-typescript generates.
import createClient from "openapi-fetch";
import type { paths } from "./openapi-typescript";
import { type Photo, announcement, loadPhoto, putPhoto, sleep } from "./photo";

async function publish(url: string, token: string, photo: Photo): Promise<string> {
  const headers = { Authorization: `Bearer ${token}` };
  const client = createClient<paths>({ baseUrl: url, headers });
  const opened = await client.POST("/api/v1/posts/upload/init", {
    body: { expires_in: 900, on_duplicate: "create", ...(await announcement(photo)) },
  });
  if (opened.error) throw new Error(`${opened.error.type}: ${opened.error.detail}`);
  const { post_id, upload_token, presigned_url, upload_headers } = opened.data;
  await putPhoto(photo, presigned_url, upload_headers);
  const completed = await client.POST("/api/v1/posts/upload/complete", {
    body: { post_id, upload_token },
  });
  if (completed.error) throw new Error(`${completed.error.type}: ${completed.error.detail}`);
  for (;;) {
    const { data: post, error } = await client.GET("/api/v1/posts/{post_id}", {
      params: { path: { post_id } },
    });
    if (!post) throw new Error(`${error?.type}: ${error?.detail}`);
    if (post.status === "published" || post.status === "failed") {
      return `${post.status} ${Object.keys(post.images).sort().join(" ")}`;
    }
    await sleep();
  }
}

loadPhoto().then(({ url, token, photo }) => publish(url, token, photo)).then(console.log);
