// A customer's administrator, with a browser that follows addresses, keeps cookies and sends forms; it runs no scripts.
import assert from "node:assert/strict";

/** What a browser ends at. */
export interface Shown {
  /** Each address that it was at, the last one shown. */
  addresses: string[];
  status: number;
  headers: Headers;
  /** What the page says, without its markup. */
  text: string;
  html: string;
}

export interface Browser {
  open(address: string): Promise<Shown>;
  post(address: string, form: Record<string, string>, origin?: string): Promise<Shown>;
  /** Sends the form of a page, as its button does. */
  send(shown: Shown): Promise<Shown>;
}

export function createBrowser(): Browser {
  /** By host and port, which is narrower than a real one's. */
  const cookies = new Map<string, Map<string, string>>();

  async function go(
    address: string,
    init: RequestInit = {},
    before: string[] = [],
  ): Promise<Shown> {
    const { host } = new URL(address);
    const own = cookies.get(host) ?? new Map<string, string>();
    cookies.set(host, own);
    const cookie = [...own].map(([name, value]) => `${name}=${value}`).join("; ");
    const isForeignPost = init.method === "POST" && init.headers !== undefined;
    const headers = { ...init.headers, ...(cookie !== "" && !isForeignPost && { cookie }) };
    const answer = await fetch(address, { ...init, headers, redirect: "manual" });
    for (const set of answer.headers.getSetCookie()) {
      const [pair = ""] = set.split(";");
      own.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const addresses = [...before, address];
    const html = await answer.text();
    const location = answer.headers.get("location");
    if (answer.status === 303) return await go(new URL(location!, address).href, {}, addresses);
    return { addresses, status: answer.status, headers: answer.headers, html, text: textOf(html) };
  }

  /** Cookies that are Lax do not come along with what another site posts. */
  const post: Browser["post"] = (address, form, origin) =>
    go(address, {
      method: "POST",
      body: new URLSearchParams(form),
      ...(origin !== undefined && { headers: { origin } }),
    });

  return {
    open: (address) => go(address),
    post,
    send({ html }) {
      const action = unescaped(html.match(/<form method="post" action="([^"]+)">/)![1]!);
      const inputs = html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g);
      const form = [...inputs].map(([, name, value]) => [name!, unescaped(value!)]);
      return post(action, Object.fromEntries(form), "null");
    },
  };
}

/** Has an administrator open an address and approve; gives where the browser ends. */
export async function approveIn(
  browser: Browser,
  address: string,
  tenant: string,
  decision = "approve",
): Promise<Shown> {
  const { addresses, status, text } = await browser.open(address);
  assert.equal(status, 200, text);
  return await browser.post(addresses.at(-1)!, { tenant, decision });
}

function textOf(html: string): string {
  const body = html.replace(/<style>.*<\/style>|<script>.*<\/script>/gs, "");
  return unescaped(body.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").trim());
}

function unescaped(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
}
