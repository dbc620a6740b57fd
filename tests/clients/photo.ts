// What an app does around the generated client: read the photo, hash it, PUT it, wait.
declare const process: { argv: string[] };
declare function require(name: "node:fs/promises"): {
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
};

export type Photo = Uint8Array<ArrayBuffer>;

export async function loadPhoto(): Promise<{ url: string; token: string; photo: Photo }> {
  const [url = "", token = "", path = ""] = process.argv.slice(2);
  return { url, token, photo: await require("node:fs/promises").readFile(path) };
}

export async function announcement(photo: Photo) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", photo));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    filename: "photo.jpg",
    content_type: "image/jpeg" as const,
    file_size: photo.byteLength,
    sha256,
    caption: "A quiet morning",
  };
}

export async function putPhoto(
  photo: Photo,
  url: string,
  { "content-length": _, ...headers }: Record<string, string>,
): Promise<void> {
  const response = await fetch(url, { method: "PUT", body: photo, headers });
  // 412: an earlier PUT has succeeded.
  if (!response.ok && response.status !== 412) throw new Error(await response.text());
}

export function sleep(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}
