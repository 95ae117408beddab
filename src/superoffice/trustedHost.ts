import { UntrustedHostError } from "./errors.ts";

/** Whether a URL's host is this machine itself. */
export function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
}

/**
 * Gives the URL when credentials may go there: https at the login host or, where that is SuperOffice's, at another host under
 * superoffice.com, on port 443 or the login host's own. Where the login host is loopback: loopback and nothing else.
 * Throws {@link UntrustedHostError} otherwise.
 */
export function trustedUrl(url: string, loginUrl: string): URL {
  const login = new URL(loginUrl);
  // A URL object forgives blanks and control characters, whoever sends to the text itself may not.
  const target = URL.canParse(url) && !/[\0-\x20]/.test(url) ? new URL(url) : undefined;
  if (target !== undefined && target.username === "" && target.password === "") {
    if (isLoopback(login)) {
      if (isLoopback(target) && /^https?:$/.test(target.protocol)) return target;
    } else if (target.protocol === "https:") {
      if (target.host === login.host) return target;
      const isUsualPort = ["", login.port].includes(target.port);
      if (isUsualPort && isSuperOffice(login) && isSuperOffice(target)) return target;
    }
  }
  const shown = target?.origin.slice(0, 300) ?? "(not a URL)";
  throw new UntrustedHostError(
    `The tenant's address ${shown} is not one that ${login.host} vouches for, so nothing was sent there`,
  );
}

function isSuperOffice(url: URL): boolean {
  return url.hostname === "superoffice.com" || url.hostname.endsWith(".superoffice.com");
}
