import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { createPendings, type Pendings } from "../../src/approve/pending.ts";
import { type Answering, type Asking, createSite, ownAddress } from "../../src/approve/site.ts";
import { randomId } from "../../src/approve/randomId.ts";

const HOST = "127.0.0.1:3300";
const KEY = randomId();

let pendings: Pendings;
let settled: URLSearchParams[];
let refused: string[];
let misnamed: (string | undefined)[];
let isEnding = false;
let isBusy = false;
let names = 0;

beforeEach(() => {
  pendings = createPendings(10, 60_000, () => 0);
  settled = [];
  refused = [];
  misnamed = [];
  isEnding = false;
  isBusy = false;
});

function siteAt(redirectUrl: string, startKey?: string, hosts = [HOST]) {
  return createSite({ redirectUrl, hosts, startKey }, {
    pendings,
    ask(browser) {
      if (isBusy) return Promise.resolve(undefined);
      const state = `state-${++names}`;
      pendings.add({ state, nonce: "", verifier: "", browser });
      return Promise.resolve({ address: `https://login.example/?state=${state}` });
    },
    settle({ answer }) {
      settled.push(answer!.values);
      const title = `outcome of ${answer!.values.get("code")}`;
      return Promise.resolve({ mood: "well", title, paragraphs: [] });
    },
    tellRefused: (which) => void refused.push(which),
    tellMisnamed: (host) => void misnamed.push(host),
    tellShown() {},
    isEnding: () => isEnding,
  });
}

function get(url: string, more: Partial<Asking> = {}): Asking {
  const { pathname, searchParams } = new URL(url, `http://${HOST}`);
  return {
    method: "GET",
    host: HOST,
    path: pathname,
    query: searchParams,
    cookie: undefined,
    readForm: () => Promise.resolve(undefined),
    ...more,
  };
}

function post(url: string, form: Record<string, string>): Asking {
  return get(url, {
    method: "POST",
    readForm: () => Promise.resolve(new URLSearchParams(form)),
  });
}

describe("one request for approval", () => {
  const site = (asking: Asking) => siteAt("http://127.0.0.1:3300/openid/callback")(asking);
  const add = () => pendings.add({ state: "s", nonce: "", verifier: "", browser: undefined });

  test("is answered once, by a page whose address does not hold the code", async () => {
    add();
    const answer = await site(get("/openid/callback?code=c&state=s"));
    assert.equal(answer.status, 303);
    assert.match(answer.location!, /^\/openid\/approval\/[\w-]{32}$/);
    const { page } = await site(get(answer.location!));
    assert.equal(page?.title, "outcome of c");
    // A second tab, and the page loaded once more.
    const again = await site(get("/openid/callback?code=c&state=s"));
    assert.equal(again.location, "/openid/approval/replayed");
    assert.match((await site(get(again.location!))).page!.title, /dealt with already/);
    assert.equal((await site(get(answer.location!))).page?.title, "outcome of c");
    assert.equal(settled.length, 1);
    assert.deepEqual(refused, ["replayed"]);
  });

  test("is answered by a form", async () => {
    add();
    const answer = await site(post("/openid/callback?code=no&state=no", { code: "c", state: "s" }));
    assert.equal(answer.status, 303);
    assert.equal(settled[0]!.get("code"), "c");
  });

  const strays: [string, Asking, string][] = [
    ["without a state", get("/openid/callback?code=c"), "missing"],
    ["with an empty one", get("/openid/callback?code=c&state="), "missing"],
    ["with two", get("/openid/callback?code=c&state=s&state=s"), "missing"],
    ["with another", get("/openid/callback?code=c&state=other"), "unknown"],
    ["that is another site's form", post("/openid/callback", { code: "c" }), "missing"],
    ["that is nothing", get("/openid/callback"), "missing"],
  ];
  for (const [what, asking, page] of strays) {
    test(`is not answered by one ${what}`, async () => {
      add();
      const { location } = await site(asking);
      assert.equal(location, `/openid/approval/${page}`);
      assert.equal((await site(get(location!))).status, 400);
      assert.deepEqual(settled, []);
      assert.equal(refused.length, 1);
    });
  }

  test("keeps of an answer what is looked at, and no more", async () => {
    add();
    const looked = ["error", "error_description", "id_token", "response", "token"];
    const rest = looked.map((name) => `&${name}=x`).join("");
    const more = Array.from({ length: 1000 }, (_, at) => `&a${at}=b&error_uri=${at}`).join("");
    await site(get(`/openid/callback?code=c&code=d&code=e&iss=i&state=s${rest}${more}`));
    const kept =
      "code=c&code=d&error=x&error_description=x&id_token=x&iss=i&response=x&state=s&token=x";
    assert.equal(settled[0]!.toString(), kept);
  });

  const others: [string, Asking, number][] = [
    ["another path", get("/openid"), 404],
    ["below the path", get("/openid/callback/x"), 404],
    ["a page that is not there", get(`/openid/approval/${"x".repeat(32)}`), 404],
    ["a name that every object has", get("/openid/approval/toString"), 404],
    ["another method", get("/openid/callback", { method: "DELETE" }), 405],
    ["a body that is no form", get("/openid/callback", { method: "POST" }), 415],
    ["a form for one of its own pages", post(`/openid/approval/${"i".repeat(32)}`, {}), 405],
    ["another host", get("/openid/callback?code=c&state=s", { host: "evil.example:3300" }), 421],
    ["another port", get("/openid/callback", { host: "127.0.0.1" }), 421],
    ["no host", get("/openid/callback", { host: undefined }), 421],
    ["a host that is none", get("/openid/callback", { host: "127.0.0.1:3300/@" }), 421],
    ["a start that there is not", get(`/openid/approval/${KEY}`), 404],
  ];
  for (const [what, asking, status] of others) {
    test(`is not touched by ${what}`, async () => {
      add();
      assert.equal((await site(asking)).status, status);
      assert.deepEqual(misnamed, status === 421 ? [asking.host] : []);
      assert.equal(pendings.ofState("s")!.answer, undefined);
    });
  }
});

describe("an address for many", () => {
  const cookieOf = ({ setCookie }: Answering) => setCookie!.split(";")[0]!;
  const stateOf = ({ location }: Answering) => new URL(location!).searchParams.get("state")!;
  /** What brings a code to a request that was started. */
  const back = (started: Answering, code: string) =>
    get(`/openid/callback?code=${code}&state=${stateOf(started)}`);

  test("starts a request for each browser, which alone may go on with it", async () => {
    const site = siteAt("http://127.0.0.1:3300/openid/callback", KEY);
    const [mine, other] = [
      await site(get(`/openid/approval/${KEY}`)),
      await site(get(`/openid/approval/${KEY}`)),
    ];
    assert.match(mine.setCookie!, /^approval=[\w-]{32}; Path=\/; HttpOnly; SameSite=Lax$/);
    assert.notEqual(cookieOf(mine), cookieOf(other));
    // A form that another site posts brings no cookie; the page that it is sent on to gets it.
    const answer = await site(post("/openid/callback", { code: "c", state: stateOf(mine) }));
    assert.deepEqual(settled, []);
    const foreign = await site(get(answer.location!, { cookie: cookieOf(other) }));
    assert.equal(foreign.status, 400);
    assert.deepEqual(settled, []);
    const cookie = `x=y; ${cookieOf(mine)}`;
    assert.equal((await site(get(answer.location!, { cookie }))).page?.title, "outcome of c");
  });

  test("asks whoever comes when too many are there to come again", async () => {
    const site = siteAt("http://127.0.0.1:3300/openid/callback", KEY);
    isBusy = true;
    const answer = await site(get(`/openid/approval/${KEY}`));
    assert.equal(answer.status, 429);
    assert.match(answer.page!.paragraphs[0]!, /again in a minute/);
  });

  test("is not brought to its end by who started it, where another browser brought the answer", async () => {
    const site = siteAt("http://127.0.0.1:3300/openid/callback", KEY);
    const mine = await site(get(`/openid/approval/${KEY}`));
    // Who leads somebody else to approve its own request knows the page of its own answer alone.
    const junk = await site(back(mine, "junk"));
    const theirs = await site(back(mine, "theirs"));
    assert.equal((await site(get(theirs.location!))).status, 400);
    assert.equal((await site(get(junk.location!, { cookie: cookieOf(mine) }))).status, 404);
    assert.deepEqual(settled, []);
  });

  test("takes no form that comes whole only when it has ended", async () => {
    const site = siteAt("http://127.0.0.1:3300/openid/callback", KEY);
    const mine = await site(get(`/openid/approval/${KEY}`));
    const late = post("/openid/callback", { code: "c", state: stateOf(mine) });
    const { readForm } = late;
    late.readForm = () => {
      isEnding = true;
      return readForm();
    };
    assert.equal((await site(late)).status, 503);
  });

  test("is not spoilt by another browser that brings an answer first", async () => {
    const site = siteAt("http://127.0.0.1:3300/openid/callback", KEY);
    const mine = await site(get(`/openid/approval/${KEY}`));
    const foreign = await site(back(mine, "foreign"));
    assert.equal((await site(get(foreign.location!))).status, 400);
    const answer = await site(back(mine, "own"));
    const shown = await site(get(answer.location!, { cookie: cookieOf(mine) }));
    assert.equal(shown.page?.title, "outcome of own");
    assert.equal((await site(back(mine, "late"))).location, "/openid/approval/replayed");
  });

  test("begins nothing more at its end, and shows what was begun", async () => {
    const site = siteAt("http://127.0.0.1:3300/openid/callback", KEY);
    const [mine, late, aside] = [
      await site(get(`/openid/approval/${KEY}`)),
      await site(get(`/openid/approval/${KEY}`)),
      await site(get(`/openid/approval/${KEY}`)),
    ];
    const answer = await site(back(mine, "c"));
    const begun = get(answer.location!, { cookie: cookieOf(mine) });
    await site(begun);
    const put = await site(back(aside, "aside"));
    isEnding = true;
    const asks = [
      get(`/openid/approval/${KEY}`),
      get(`/openid/callback?code=late&state=${stateOf(late)}`),
      get(put.location!, { cookie: cookieOf(aside) }),
    ];
    for (const asking of asks) assert.equal((await site(asking)).status, 503);
    assert.equal((await site(begun)).page?.title, "outcome of c");
    assert.deepEqual(settled.map((taken) => taken.get("code")), ["c"]);
  });

  test("keeps a browser's cookie for its tabs, and no cookie of another form", async () => {
    const site = siteAt("http://127.0.0.1:3300/openid/callback", KEY);
    const first = await site(get(`/openid/approval/${KEY}`));
    const cookie = cookieOf(first);
    assert.equal(cookieOf(await site(get(`/openid/approval/${KEY}`, { cookie }))), cookie);
    const wrong = await site(get(`/openid/approval/${KEY}`, { cookie: "approval=short" }));
    assert.notEqual(cookieOf(wrong), "approval=short");
  });

  test("is known by its public name, with or without the usual port", async () => {
    const site = siteAt("https://vendor.example/callback", KEY, ["vendor.example"]);
    for (const host of ["vendor.example", "vendor.example:443", "VENDOR.example"]) {
      const answer = await site(get(`/approval/${KEY}`, { host }));
      assert.match(answer.setCookie!, /^__Host-approval=.*; Secure$/);
    }
    assert.equal((await site(get(`/approval/${KEY}`, { host: "vendor.example:80" }))).status, 421);
  });
});

for (
  const [redirectUrl, own] of [
    ["http://127.0.0.1:3300", "http://127.0.0.1:3300/approval/x"],
    ["http://127.0.0.1:3300/openid/callback", "http://127.0.0.1:3300/openid/approval/x"],
    ["https://vendor.example/a/b/", "https://vendor.example/a/b/approval/x"],
  ] as const
) {
  test(`beside ${redirectUrl} lie its own pages`, () => {
    assert.equal(ownAddress(redirectUrl, "x").href, own);
  });
}
