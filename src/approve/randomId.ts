import { randomBytes } from "node:crypto";

/** A random name that nobody guesses. */
export function randomId(): string {
  return randomBytes(24).toString("base64url");
}
