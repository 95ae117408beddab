import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** The private key that the stand-in knows. */
export const KEY_FILE = fileURLToPath(
  new URL("../../fixtures/keys/app-key.pkcs8.pem", import.meta.url),
);

export async function importSampleKey(): Promise<CryptoKey> {
  const pem = await readFile(KEY_FILE, "utf8");
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  return await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}
