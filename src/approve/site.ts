// What the listener answers, without the sockets: where an approval starts, where its answer comes, where its outcome is shown.
import type { Page } from "./page.ts";
import type { Pending, Pendings } from "./pending.ts";
import { randomId } from "./randomId.ts";
import { isRefusal, type Refusal, take } from "./take.ts";

/** A request, as far as it is looked at. */
export interface Asking {
  method: string;
  /** The header `Host`. */
  host: string | undefined;
  path: string;
  query: URLSearchParams;
  /** The header `Cookie`. */
  cookie: string | undefined;
  /** Reads the form that was posted; undefined where it is none. */
  readForm(): Promise<URLSearchParams | undefined>;
}

/** An answer: a page, or another address to go on at. */
export interface Answering {
  status: number;
  page?: Page;
  location?: string;
  setCookie?: string;
  /** Is called when it is out. */
  sent?: () => void;
}

/** Where the site is, and for whom. */
export interface SiteOptions {
  redirectUrl: string;
  /** By which names it may be asked. */
  hosts: string[];
  /** Where one address is given to many, the secret part of it; undefined where there is one request for approval alone. */
  startKey: string | undefined;
}

/** What the site finds around it. */
export interface Around {
  pendings: Pendings;
  /** Makes a request for approval, for this browser; undefined where too many were made a moment ago. */
  ask: (browser: string) => Promise<{ address: string } | undefined>;
  /** Deals with what came back, and gives what came of it; it is called once for each request. */
  settle: (pending: Pending) => Promise<Page>;
  /** Is told of an answer that was refused. */
  tellRefused: (which: Refusal) => void;
  /** Is told by which other name it was asked. */
  tellMisnamed: (host: string | undefined) => void;
  /** Is told when a browser was shown an outcome. */
  tellShown: () => void;
  /** Whether nothing is begun any more. */
  isEnding: () => boolean;
}

/** Nothing was done with what came. */
const ENDED: Answering = {
  status: 503,
  page: illPage("No more approvals are taken", [
    "Nothing was done with this one. Ask whoever gave you the address for when to open it again.",
  ]),
};

const TOO_MANY: Answering = {
  status: 429,
  page: illPage("Too many at once", ["Open the address that you were given again in a minute."]),
};

const MISNAMED: Answering = {
  status: 421,
  page: illPage("This listener is not known by that name", [
    "Open the address as it was given to you. If you did, tell whoever gave it to you that the web server passes on another host name.",
  ]),
};

const GONE: Answering = {
  status: 404,
  page: illPage("There is nothing at this address", [
    "It is none that is given out here now: it is of an earlier time, or was not copied whole.",
    "Ask whoever gave it to you for the one that holds.",
  ]),
};

const NOTHING_STORED = "Nothing was stored";
const AGAIN = "Open the address that you were given once more, and go on in the same browser.";

const REFUSAL_PAGES: Record<Refusal, Page> = {
  missing: illPage(NOTHING_STORED, [
    "What came from SuperOffice does not say which request it belongs to.",
    AGAIN,
  ]),
  unknown: illPage(NOTHING_STORED, [
    "What came from SuperOffice belongs to no request that is open here: it is too old, or was made elsewhere.",
    AGAIN,
  ]),
  replayed: illPage("This was dealt with already", [
    "It came in another tab, or before this page was loaded once more, and what came of it then counts.",
    "Whoever gave you the address sees whether it was stored. If it was not, open that address once more.",
  ]),
  browser: illPage("Not in this browser", [
    "This approval was begun in another browser, or this one keeps no cookies: nothing was done here.",
    AGAIN,
  ]),
};

const SAFE_ID = /^[\w-]{20,64}$/;

/** Beside the redirect URL: where an approval starts, and where its outcome is shown. */
export function ownAddress(redirectUrl: string, ...parts: string[]): URL {
  const url = new URL(redirectUrl);
  const folder = url.pathname.replace(/[^/]*$/, "");
  return new URL(`${url.origin}${folder}${["approval", ...parts].join("/")}`);
}

/** Makes what answers a request. */
export function createSite(
  { redirectUrl, hosts, startKey }: SiteOptions,
  { pendings, ask, settle, tellRefused, tellMisnamed, tellShown, isEnding }: Around,
): (asking: Asking) => Promise<Answering> {
  const { pathname: callback, protocol } = new URL(redirectUrl);
  const isSecure = protocol === "https:";
  const folder = ownAddress(redirectUrl, "").pathname;
  const allowed = new Set(hosts.map((host) => hostOf(host, protocol)));
  // With the prefix, no other host of the domain can set it; it needs https.
  const cookieName = isSecure ? "__Host-approval" : "approval";
  const cookieRights = `Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;

  function browserOf({ cookie }: Asking): string | undefined {
    const pair = cookie?.split(/; */).find((pair) => pair.startsWith(`${cookieName}=`));
    const value = pair?.slice(cookieName.length + 1) ?? "";
    return SAFE_ID.test(value) ? value : undefined;
  }

  async function start(asking: Asking): Promise<Answering> {
    // The same in all its tabs.
    const browser = browserOf(asking) ?? randomId();
    const asked = await ask(browser);
    if (asked === undefined) return TOO_MANY;
    return {
      status: 303,
      location: asked.address,
      setCookie: `${cookieName}=${browser}; ${cookieRights}`,
    };
  }

  /** The code is not left in the browser's address. */
  async function answered(asking: Asking): Promise<Answering> {
    const values = asking.method === "POST" ? await asking.readForm() : asking.query;
    if (values === undefined) return plain(415, "This is not the form that SuperOffice posts");
    // A form may have been on its way for a while.
    if (isEnding()) return ENDED;
    const taken = take(values, pendings);
    if (typeof taken === "string") return refused(taken);
    // Where it belongs to one browser, it is that one's to go on: its cookie does not come along with what another site posts.
    if (taken.browser === undefined) begin(taken);
    return { status: 303, location: ownAddress(redirectUrl, taken.answer.id).pathname };
  }

  function begin(pending: Pending): Promise<Page> {
    return pending.page ??= settle(pending);
  }

  async function outcome(id: string, asking: Asking): Promise<Answering> {
    const pending = pendings.ofId(id);
    if (pending === undefined) return GONE;
    if (pending.browser !== undefined && pending.browser !== browserOf(asking)) {
      tellRefused("browser");
      return refusedPage("browser");
    }
    if (pending.page === undefined && isEnding()) return ENDED;
    return { status: 200, page: await begin(pending), sent: tellShown };
  }

  function refused(which: Refusal): Answering {
    tellRefused(which);
    return { status: 303, location: ownAddress(redirectUrl, which).pathname };
  }

  return async (asking) => {
    if (asking.host === undefined || !allowed.has(hostOf(asking.host, protocol))) {
      tellMisnamed(asking.host);
      return MISNAMED;
    }
    const { method, path } = asking;
    const isRead = method === "GET";
    const begins = path === callback || path === `${folder}${startKey}`;
    if (begins && isEnding()) return ENDED;
    if (path === callback) {
      return isRead || method === "POST" ? await answered(asking) : plain(405, "Not in this way");
    }
    if (!path.startsWith(folder)) return plain(404, "There is nothing here");
    if (!isRead) return plain(405, "Not in this way");
    const name = path.slice(folder.length);
    if (startKey !== undefined && name === startKey) return await start(asking);
    if (isRefusal(name)) return refusedPage(name);
    return SAFE_ID.test(name) ? await outcome(name, asking) : plain(404, "There is nothing here");
  };
}

/** A host as it is compared: the usual port may be left out. */
function hostOf(host: string, protocol: string): string {
  const url = /[/?#@\\]/.test(host) ? "" : `${protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : "";
}

function refusedPage(which: Refusal): Answering {
  return { status: 400, page: REFUSAL_PAGES[which] };
}

function illPage(title: string, paragraphs: string[]): Page {
  return { mood: "ill", title, paragraphs };
}

function plain(status: number, sentence: string): Answering {
  return { status, page: { mood: "plain", title: sentence, paragraphs: [] } };
}
