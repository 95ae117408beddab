// Certificates for the tests of TLS, from authorities of the tests' own.
import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";

const HOUR_MS = 3600_000;

/** One for all servers, since it takes a while to make: what is tested is who certifies what. */
const serverKeys = createKeys();

/** A certificate and its key, PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

export interface Authority {
  /** The authority's own certificate, PEM. */
  cert: string;
  /** Makes a certificate for a host's name that expires then; in an hour when left out. */
  certify(name: string, expiresAt?: Date): Certificate;
}

/** Makes an authority that nobody trusts yet. */
export function createAuthority(name: string): Authority {
  const { privateKey, publicKey } = createKeys();
  const issuer = [{ name: "commonName", value: name }];

  function sign(
    subject: forge.pki.CertificateField[],
    key: forge.pki.PublicKey,
    extensions: unknown[],
    expiresAt: Date,
  ): string {
    const certificate = forge.pki.createCertificate();
    certificate.publicKey = key;
    certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(8))}`;
    certificate.validity.notBefore = new Date(expiresAt.getTime() - 48 * HOUR_MS);
    certificate.validity.notAfter = expiresAt;
    certificate.setSubject(subject);
    certificate.setIssuer(issuer);
    certificate.setExtensions(extensions as object[]);
    certificate.sign(privateKey, forge.md.sha256.create());
    return forge.pki.certificateToPem(certificate);
  }

  const inAnHour = () => new Date(Date.now() + HOUR_MS);
  const ownExtensions = [
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, critical: true },
  ];
  return {
    cert: sign(issuer, publicKey, ownExtensions, inAnHour()),
    certify(host, expiresAt = inAnHour()) {
      const names = [{ type: 2, value: host }];
      const cert = sign([{ name: "commonName", value: host }], serverKeys.publicKey, [
        { name: "basicConstraints", cA: false },
        { name: "extKeyUsage", serverAuth: true },
        { name: "subjectAltName", altNames: names },
      ], expiresAt);
      return { cert, key: forge.pki.privateKeyToPem(serverKeys.privateKey) };
    },
  };
}

function createKeys(): forge.pki.rsa.KeyPair {
  // The platform makes a key in a fraction of the time.
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  const key = forge.pki.privateKeyFromPem(privateKey);
  return { privateKey: key, publicKey: forge.pki.setRsaPublicKey(key.n, key.e) };
}
