// Verify a C2SP tlog-proof with Sigstore's implementation: signature, checkpoint and inclusion.
//
//     node check_tlog_proof.mjs PROOF KEY_NAME KEY_ID_IN_HEX PUBLIC_KEY_PEM

import { readFileSync } from "node:fs";
import { createPublicKey } from "node:crypto";
import { verifyCheckpoint } from "@sigstore/verify/dist/tlog/checkpoint.js";
import { verifyMerkleInclusion } from "@sigstore/verify/dist/tlog/merkle.js";

const [path, name, keyId, keyPath] = process.argv.slice(2);
const text = readFileSync(path, "utf-8");
const end = text.indexOf("\n\n");
const [header, extra, index, ...hashes] = text.slice(0, end).split("\n");
if (header !== "c2sp.org/tlog-proof@v1") throw new Error(`not a proof: ${header}`);

const entry = {
  canonicalizedBody: Buffer.from(extra.slice("extra ".length), "base64"),
  inclusionProof: {
    logIndex: index.slice("index ".length),
    hashes: hashes.map((each) => Buffer.from(each, "base64")),
    checkpoint: { envelope: text.slice(end + 2) },
  },
};
const log = {
  logID: Buffer.from(keyId, "hex"),
  baseURL: name,
  publicKey: createPublicKey(readFileSync(keyPath)),
};

const checkpoint = verifyCheckpoint(entry, [log]);
verifyMerkleInclusion(entry, checkpoint);
console.log(`${checkpoint.origin} ${checkpoint.logSize} ${entry.inclusionProof.logIndex}`);
