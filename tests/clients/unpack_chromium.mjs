// Unpacks Chromium and the libraries that it needs from their package into the folder TMPDIR.
import { inflate } from "@sparticuz/chromium";
import { fileURLToPath } from "node:url";

const packed = new URL("../bin/", import.meta.resolve("@sparticuz/chromium"));
for (const name of ["chromium.br", "al2023.tar.br"]) {
  await inflate(fileURLToPath(new URL(name, packed)));
}
