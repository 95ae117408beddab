import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { PrivateKeyError } from "./errors.ts";

const XML_PARTS = {
  n: "Modulus",
  e: "Exponent",
  d: "D",
  p: "P",
  q: "Q",
  dp: "DP",
  dq: "DQ",
  qi: "InverseQ",
};

const ASK_FOR_PRIVATE_KEY =
  "Give the private key: the one SuperOffice handed out as XML, or the PEM file made from it " +
  "(`openssl rsa -in private.pem -check -noout` says whether a file holds it).";

/**
 * Imports the application's RSA private key into WebCrypto, where it can sign and cannot be read out again.
 * Takes RSAKeyValue XML (with or without byte order mark, declaration, line breaks), PKCS#1 PEM or
 * PKCS#8 PEM; line breaks may be written as the two characters `\n`.
 *
 * Throws {@link PrivateKeyError} for all else, with what was found and how to mend it.
 *
 * @example
 * ```ts
 * const privateKey = await importPrivateKey(await readFile("private-key.xml", "utf8"));
 * ```
 *
 * @see "How to sign a system user token",
 * https://docs.superoffice.com/en/authentication/online/auth-application/sign-system-user-token.html
 */
export async function importPrivateKey(text: string): Promise<CryptoKey> {
  const key = parsePrivateKey(text);
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  return await crypto.subtle.importKey(
    "pkcs8",
    new Uint8Array(pkcs8),
    { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    false,
    ["sign"],
  );
}

/** Gives the key that a text holds, for who needs its public half. Throws as {@link importPrivateKey} does. */
export function parsePrivateKey(text: string): KeyObject {
  const clean = text.replace(/\\r|\\n/g, "\n").replace(/^[\uFEFF\s"']+|(?<![\s"'])[\s"']+$/g, "");
  const key = clean.startsWith("<") ? fromXml(clean) : fromPem(clean);
  assertSigns(key);
  return key;
}

function fromXml(xml: string): KeyObject {
  const found = Object.entries(XML_PARTS).map(([member, name]) => {
    const base64 = xml.match(new RegExp(`<${name}>([^<]*)</${name}>`))?.[1] ?? "";
    return { member, name, bytes: Buffer.from(base64, "base64") };
  });
  const missing = found.filter(({ bytes }) => bytes.length === 0).map(({ name }) => name);
  if (missing.length === found.length) {
    throw new PrivateKeyError(
      "The private key is XML, but not an RSAKeyValue",
      ASK_FOR_PRIVATE_KEY,
    );
  }
  if (missing.length === found.length - 2 && !/Modulus|Exponent/.test(missing.join())) {
    throw new PrivateKeyError(
      "This is the public half of a key (RSAKeyValue with Modulus and Exponent alone)",
      ASK_FOR_PRIVATE_KEY,
    );
  }
  if (missing.length > 0) {
    throw new PrivateKeyError(
      `The private key is only half there: RSAKeyValue without ${missing.join(", ")}`,
      "Copy the whole XML again, from <RSAKeyValue> to </RSAKeyValue>.",
    );
  }
  const jwk = found.map(({ member, bytes }) => [member, bytes.toString("base64url")]);
  return parsed(() =>
    createPrivateKey({ key: { kty: "RSA", ...Object.fromEntries(jwk) }, format: "jwk" })
  );
}

function fromPem(pem: string): KeyObject {
  const label = pem.match(/-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----/)?.[1] ??
    pem.match(/-----BEGIN ([A-Z0-9 ]+)-----/)?.[1];
  switch (label) {
    case undefined:
      throw new PrivateKeyError(
        looksLikePath(pem)
          ? "The private key looks like a file's path, not like a key"
          : "The private key is neither RSAKeyValue XML nor PEM",
        looksLikePath(pem)
          ? "Give what the file holds, not its path."
          : "PEM starts with -----BEGIN. From a .pfx file: `openssl pkcs12 -in key.pfx -nocerts -nodes -out private.pem`; " +
            "from a DER file: `openssl rsa -inform DER -in key.der -out private.pem`.",
      );
    case "PUBLIC KEY":
    case "RSA PUBLIC KEY":
    case "CERTIFICATE":
      throw new PrivateKeyError(
        `This is a public half (BEGIN ${label}), not the private key`,
        ASK_FOR_PRIVATE_KEY,
      );
    case "OPENSSH PRIVATE KEY":
      throw new PrivateKeyError(
        "The private key is in OpenSSH's own form",
        "Convert a copy: `ssh-keygen -p -m PEM -N '' -f copy-of-key`.",
      );
    case "EC PRIVATE KEY":
      throw ellipticOrOther("ec");
  }
  if (label === "ENCRYPTED PRIVATE KEY" || pem.includes("Proc-Type: 4,ENCRYPTED")) {
    throw new PrivateKeyError(
      "The private key is encrypted with a passphrase",
      "Decrypt it: `openssl rsa -in encrypted.pem -out private.pem`, and keep that file private.",
    );
  }
  const body = pem.match(new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`))?.[1];
  if (body === undefined) throw cutOff();
  const key = Buffer.from(body, "base64");
  const privateKey = parsed(() =>
    createPrivateKey({
      key,
      format: "der",
      type: label === "RSA PRIVATE KEY" ? "pkcs1" : "pkcs8",
    })
  );
  if (privateKey.asymmetricKeyType !== "rsa") {
    throw ellipticOrOther(privateKey.asymmetricKeyType);
  }
  return privateKey;
}

function looksLikePath(text: string): boolean {
  return text.length < 300 && /^[~.]?[\w.-]*[\\/:]|\.(pem|xml|key)$/i.test(text);
}

function ellipticOrOther(type: string | undefined): PrivateKeyError {
  const kind = type === "ec" ? "an elliptic-curve key" : `a key of the kind ${type}`;
  return new PrivateKeyError(
    `The private key is ${kind}; SuperOffice takes RSA alone`,
    "Give the application's RSA key. For a new one: `openssl genrsa -out private.pem 2048`, and register " +
      "what `openssl rsa -in private.pem -pubout` prints.",
  );
}

function cutOff(options?: ErrorOptions): PrivateKeyError {
  return new PrivateKeyError(
    "The private key is damaged or only half there",
    "Copy it again, whole, with its BEGIN and END lines; `openssl rsa -in private.pem -check -noout` must say that it is ok.",
    options,
  );
}

function parsed(parse: () => KeyObject): KeyObject {
  try {
    return parse();
  } catch (cause) {
    throw cutOff({ cause });
  }
}

// Numbers that do not belong together are accepted by some runtimes and sign nonsense.
function assertSigns(key: KeyObject): void {
  const probe = Buffer.from("probe");
  let fits = false;
  try {
    fits = verify("sha256", probe, createPublicKey(key), sign("sha256", probe, key));
  } catch (cause) {
    throw cutOff({ cause });
  }
  if (!fits) throw cutOff();
}
