// What is made of any answer and any address: a value, or an error that is documented.
import assert from "node:assert/strict";
import { describe } from "node:test";
import fc from "fast-check";
import { createSecrets } from "../src/program/knownSecrets.ts";
import { createRedact } from "../src/program/redact.ts";
import { callTenant, readPrincipal, WHO_AM_I } from "../src/superoffice/callTenant.ts";
import { askForJwt } from "../src/superoffice/exchange.ts";
import { retryAfterMsOf, serverTimeOf } from "../src/superoffice/http.ts";
import { createKeySet } from "../src/superoffice/keySet.ts";
import { addressOf, readTenantState } from "../src/superoffice/tenantState.ts";
import { trustedUrl } from "../src/superoffice/trustedHost.ts";
import {
  type Answered,
  answerOf,
  answers,
  headers,
  near,
  sender,
  STATUS_CODES,
} from "./support/answers.ts";
import { errorOf, oddText, property, repeatedText, written } from "./support/property.ts";

const LOGIN_URL = "https://sod.superoffice.com";
const CLIENT_SECRET = "client-secret-0123456789";
const APPLICATION = { loginUrl: LOGIN_URL, clientSecret: CLIENT_SECRET };
const TENANT = "Cust12345";
const REFUSED = [
  "EXCHANGE_REFUSED",
  "TIMESTAMP_INVALID",
  "SIGNATURE_INVALID",
  "REDIRECT_URL_INVALID",
  "NEEDS_REAPPROVAL",
  "TOKEN_REVOKED",
  "APPROVAL_EXPIRED",
  "ACCESS_DENIED",
];
const STATE = {
  ContextIdentifier: TENANT,
  Endpoint: `https://online3.superoffice.com/${TENANT}`,
  State: "Running",
  IsRunning: true,
  ValidUntil: "2026-01-02T04:04:05.9342965Z",
  Api: `https://online3.superoffice.com/${TENANT}/api`,
};
const EXCHANGED = { IsSuccessful: true, Token: "eyJ", ErrorMessage: "InvalidSignature" };
const PRINCIPAL = {
  Associate: "Sys",
  AssociateId: 7,
  FullName: "System User",
  UserType: "SystemUser",
  DatabaseContextIdentifier: TENANT,
};

/** Each thing that is read from an answer. */
const readers = (answered: Answered | string): (() => unknown)[] => {
  const send = sender(answered);
  return [
    async () => addressOf(await readTenantState(TENANT, LOGIN_URL, send)),
    () => askForJwt(TENANT, "signed", APPLICATION, send),
    () => createKeySet(LOGIN_URL, send).get(),
    async () => readPrincipal(TENANT, await send({ purpose: "", url: "" })),
  ];
};

async function messageOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("an answer is understood, or refused as documented:", () => {
  property("a tenant's state", answers(near(STATE)), async (answered) => {
    await errorOf(
      async () => {
        const state = await readTenantState(TENANT, LOGIN_URL, sender(answered));
        assert.ok(state.validForMs >= 0 && Number.isFinite(state.validForMs));
        assert.equal(typeof state.state, "string");
        assert.equal(typeof state.isRunning, "boolean");
        if (state.api !== null) trustedUrl(state.api, LOGIN_URL);
      },
      ...STATUS_CODES,
      "ANSWER_UNREADABLE",
      "HOST_UNTRUSTED",
      "WRONG_TENANT",
    );
  });

  const signs = fc.constantFrom(..."/\\?#@:.% x");
  const addresses = fc.noShrink(
    fc.tuple(fc.constant(STATE.Api), signs, fc.constantFrom("", "x")),
  );
  property("a long address in a tenant's state", addresses, async (address) => {
    const send = sender(JSON.stringify({ ...STATE, Api: written(address) }));
    await errorOf(
      () => readTenantState(TENANT, LOGIN_URL, send),
      "HOST_UNTRUSTED",
      "ANSWER_UNREADABLE",
    );
  }, { share: 0.3 });

  property("a state that is not known", oddText, async (name) => {
    const state = { state: name, isRunning: false, api: null, validForMs: 0 };
    const { message } = (await errorOf(() => addressOf(state), "TENANT_NOT_RUNNING"))!;
    assert.equal(
      message,
      `The tenant takes no calls, its state is ${name}: SuperOffice does not say why`,
    );
  });

  property("an exchange's answer", answers(near(EXCHANGED)), async (answered) => {
    const error = await errorOf(
      async () => {
        const jwt = await askForJwt(TENANT, "signed", APPLICATION, sender(answered));
        assert.ok(typeof jwt === "string" && jwt !== "");
      },
      ...STATUS_CODES,
      ...REFUSED,
      "ANSWER_UNREADABLE",
    );
    if (error !== undefined && "serverTime" in error && error.serverTime !== undefined) {
      assert.ok(Number.isFinite((error.serverTime as Date).getTime()));
    }
  });

  property("who the system user is", answers(near(PRINCIPAL)), async (answered) => {
    await errorOf(
      () => {
        const { associate, associateId, fullName } = readPrincipal(TENANT, answerOf(answered));
        assert.equal(typeof associate, "string");
        assert.ok(associateId === null || Number.isFinite(associateId));
        assert.ok(fullName === null || typeof fullName === "string");
      },
      ...STATUS_CODES,
      "ANSWER_UNREADABLE",
      "WRONG_TENANT",
      "TICKET_REFUSED",
      "TENANT_MOVED",
    );
  });

  property("a page instead of an answer", repeatedText, async (text) => {
    for (const read of readers({ status: 503, headers: {}, body: written(text) })) {
      await errorOf(read, "SERVICE_BUSY");
    }
  }, { share: 0.3 });

  property("the headers", headers, (headers) => {
    const time = serverTimeOf({ headers });
    assert.ok(time === undefined || Number.isFinite(time.getTime()));
    const ms = retryAfterMsOf({ headers });
    assert.ok(ms >= 0 && Number.isFinite(ms), `it says to wait ${ms} ms`);
  });

  property(
    "in a message that is short",
    answers(
      fc.oneof(
        near({ ...STATE, ...PRINCIPAL, ...EXCHANGED }),
        near({ keys: "(many)", State: "(long)" }),
      ),
    ),
    async (answered) => {
      for (const read of readers(answered)) {
        const message = await messageOf(read);
        assert.ok(message.length < 2000, `${message.slice(0, 150)} … ${message.length} letters`);
      }
    },
  );
});

describe("an answer that repeats a secret does not bring it into the log:", () => {
  const assertHidden = async ({ secret, before, after, status, write }: {
    secret: string;
    before: string;
    after: string;
    status: number;
    write: (text: string) => string;
  }) => {
    const redact = createRedact(createSecrets([secret]));
    for (const read of readers({ status, headers: {}, body: write(before + secret + after) })) {
      const said = redact(await messageOf(read));
      for (let at = 0; at + 10 <= secret.length; at++) {
        const piece = secret.slice(at, at + 10);
        assert.ok(!said.includes(piece), `«${piece}» is in «${said}»`);
      }
    }
  };
  const pages = (signs: string) =>
    fc.record({
      secret: fc.array(fc.constantFrom(...signs), { minLength: 16, maxLength: 40 })
        .map((letters) => letters.join("")).filter((secret) => new Set(secret).size > 6),
      before: fc.oneof(oddText, fc.nat({ max: 70 }).map((words) => "word ".repeat(words))),
      after: oddText,
      status: fc.constantFrom(200, 401, 403, 500),
      write: fc.constantFrom<(text: string) => string>(
        (text) => text,
        (text) => `<html><h1>${text}</h1></html>`,
        (text) => JSON.stringify({ IsSuccessful: false, ErrorMessage: text }),
        (text) => JSON.stringify({ State: text, Api: null }),
        (text) => JSON.stringify({ ContextIdentifier: text, State: "Running", Api: text }),
        (text) => JSON.stringify({ State: "Running", Api: `https://${text}` }),
      ),
    });
  property("letters and signs", pages("abcXYZ0189-._&/+='\"\\$%ßé"), assertHidden);
});

describe("credentials go nowhere else:", () => {
  const mostly = (right: string, ...wrong: fc.Arbitrary<string>[]) =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(right) }, ...wrong);
  const hosts = fc.oneof(
    oddText,
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((ip) => `[${ip}]`),
    fc.constantFrom("online3.superoffice.com", "superoffice.com", "SuperOffice.COM.", "localhost"),
    fc.constantFrom(
      "127.1",
      "0x7f000001",
      "evil.example",
      "。superoffice。com",
      "ｓuperoffice.com",
    ),
  );
  const addresses = fc.oneof(
    oddText,
    fc.webUrl(),
    fc.tuple(
      mostly("https:", fc.constantFrom("http:", "HTTPS:", "ftp:", "blob:https:", " https:", "")),
      mostly("//", fc.constantFrom("/", "\\\\", "", "///")),
      mostly("", oddText.map((text) => `${text}@`)),
      mostly("", hosts),
      mostly("", fc.constantFrom(".", "@", "/", "\\", "#", "?", "\t", "%2e")),
      mostly("online3.superoffice.com", hosts),
      mostly("", fc.constantFrom(":", ":443", ":80", ":8443", ":99999")),
      mostly("/Cust12345/api", oddText),
    ).map((parts) => parts.join("")),
  );
  const loginUrls = fc.constantFrom(
    LOGIN_URL,
    "https://superoffice.example.com:8443",
    "http://127.0.0.1:5000",
    "http://localhost:5000",
  );

  property("any address", fc.tuple(addresses, loginUrls), async ([api, loginUrl]) => {
    const login = new URL(loginUrl);
    let sentTo = "";
    await errorOf(async () => {
      const application = { loginUrl, clientSecret: CLIENT_SECRET };
      await callTenant({ api, ticket: "7T:ticket" }, WHO_AM_I, application, ({ url }) => {
        sentTo = url;
        return sender("{}")({ purpose: "", url });
      });
    }, "HOST_UNTRUSTED");
    if (sentTo === "") return;
    const { protocol, host, hostname, port, username, password } = new URL(sentTo);
    assert.equal(username + password, "");
    if (login.protocol === "http:") {
      assert.match(`${protocol}${hostname}`, /^https?:(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/);
    } else if (host !== login.host) {
      assert.match(`${protocol}${hostname}`, /^https:(.*\.)?superoffice\.com$/);
      assert.match(login.host, /\.superoffice\.com$/);
      assert.ok(port === "" || port === login.port, `the port is ${port}`);
    }
  });
});
