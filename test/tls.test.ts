// Real names and real TLS: the console against hosts under superoffice.com and a Postgres, with certificates that the test made.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { StandIn } from "../fixtures/standIn.ts";
import { sendByFetch } from "../src/superoffice/sendByFetch.ts";
import { type Certificate, createAuthority } from "./support/certificates.ts";
import { emptyFolder, runConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { type TestDatabase, testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import {
  startPostgresTlsServer,
  startPostgresWithoutTls,
  startTlsServer,
  type TlsServer,
} from "./support/tlsServers.ts";

const ENTRY = fileURLToPath(new URL("./support/consoleWithNames.ts", import.meta.url));
const IS_DENO = "Deno" in globalThis;
const YESTERDAY = new Date(Date.now() - 24 * 3600_000);

const trusted = createAuthority("An authority that the console is told to trust");
const stranger = createAuthority("Another authority");
const trustedFile = join(emptyFolder(), "authority.pem");

const tenants = makeTenants(7).map((tenant, index) => ({
  ...tenant,
  host: 0 as const,
  origin: [
    "https://online3.superoffice.com",
    "https://online4.superoffice.com",
    "https://online5.superoffice.com",
    "https://online6.superoffice.com",
    "https://evilsuperoffice.com",
    "https://superoffice.com.evil.example",
    "http://online7.superoffice.com",
  ][index]!,
}));

/** By the address that the console asks for. */
const servers: Record<string, TlsServer> = {};
let database: TestDatabase;
let standIn: StandIn;

before(async () => {
  await writeFile(trustedFile, trusted.cert);
  // Which database it is does not matter here.
  database = await testDatabases.at(-1)!.start();
  standIn = await startTestStandIn(tenants);
  const serve = async (address: string, certificate: Certificate, url = standIn.hostUrls[0]!) => {
    servers[address] = await startTlsServer(certificate, Number(new URL(url).port));
  };
  const certify = (name: string) => trusted.certify(name);
  await serve("sod.superoffice.com:443", certify("sod.superoffice.com"), standIn.loginUrl);
  await serve("online3.superoffice.com:443", certify("online3.superoffice.com"));
  await serve("online4.superoffice.com:443", stranger.certify("online4.superoffice.com"));
  await serve("online5.superoffice.com:443", trusted.certify("online5.superoffice.com", YESTERDAY));
  await serve("online6.superoffice.com:443", certify("elsewhere.example"));
  await serve("evilsuperoffice.com:443", certify("evilsuperoffice.com"));
  await serve("superoffice.com.evil.example:443", certify("superoffice.com.evil.example"));
  await serve("online7.superoffice.com:80", certify("online7.superoffice.com"));
});

after(async () => {
  await standIn.close();
  await database.close();
});

/** One poll of the console in the environment `sod`, whose login host is https://sod.superoffice.com. */
async function poll(variables: Record<string, string>, morePorts: Record<string, number> = {}) {
  const { SUPEROFFICE_LOGIN_URL: _, ...settings } = settingsFor(standIn, database.databaseUrl);
  const ports = Object.entries(servers).map(([address, { port }]) => [address, port]);
  return await runConsole(
    ["--once"],
    {
      ...settings,
      REQUEST_TIMEOUT_SECONDS: "3",
      TEST_PORTS: JSON.stringify({ ...Object.fromEntries(ports), ...morePorts }),
      ...variables,
    },
    undefined,
    ENTRY,
  );
}

test("tenants at real names, over TLS", async (t) => {
  await fillTable(database.sql, tenants);
  const { output, exitCode } = await poll({ NODE_EXTRA_CA_CERTS: trustedFile });
  const lineOf = (number: number) =>
    output.match(new RegExp(`.* Cust${number}\\b.*`))?.[0] ?? output;

  await t.test("where the certificates are in order, the log-on is done from the state to the call", () => {
    assert.match(lineOf(10001), /INFO .*Logged on to context Cust10001 as Associate 10001$/);
    assert.equal(exitCode, 1);
  });

  const refused: [number, string, string, RegExp][] = [
    [
      10002,
      "online4.superoffice.com:443",
      "of an authority that nobody trusts is refused with the variables that name one",
      /unable to verify the first certificate.*company's proxy.*NODE_EXTRA_CA_CERTS.*DENO_CERT/,
    ],
    [
      10003,
      "online5.superoffice.com:443",
      "that has expired is refused with the advice to look at the clock",
      // Deno says the same of it as of the one above.
      IS_DENO
        ? /unable to verify the first certificate.*Check this machine's clock/
        : /certificate has expired\. Check this machine's clock.*has to be renewed/,
    ],
    [
      10004,
      "online6.superoffice.com:443",
      "for another name is refused with the advice to look at the name",
      /DNS:elsewhere\.example\. The certificate is another host's: check that host's name/,
    ],
  ];
  for (const [number, address, what, words] of refused) {
    await t.test(`a certificate ${what}, and the host is sent nothing`, () => {
      const line = lineOf(number);
      const [host] = address.split(":");
      assert.match(line, new RegExp(`WARNING .*${host} could not be reached for .*NETWORK_FAILED`));
      assert.match(line, words);
      const server = servers[address]!;
      assert.ok(server.connections() > 0);
      assert.equal(server.bytesHeard(), 0);
    });
  }

  const lookAlikes: [number, string][] = [
    [10005, "evilsuperoffice.com:443"],
    [10006, "superoffice.com.evil.example:443"],
    [10007, "online7.superoffice.com:80"],
  ];
  for (const [number, address] of lookAlikes) {
    const { origin } = tenants.find((tenant) => tenant.contextIdentifier === `Cust${number}`)!;
    await t.test(`${origin} is no host of SuperOffice's: its customer is refused, and it hears nothing`, () => {
      const words =
        `The tenant's address ${origin} is not one that sod.superoffice.com vouches for`;
      assert.ok(lineOf(number).includes(words), lineOf(number));
      assert.match(lineOf(number), /WARNING .*\[HOST_UNTRUSTED\]/);
      assert.equal(servers[address]!.connections(), 0);
    });
  }

  await t.test("no exchange is made for a customer whose address is not trusted", () => {
    assert.equal(standIn.counts.exchange, tenants.length - lookAlikes.length);
  });
});

test("a login host whose certificate nobody trusts is sent nothing, and the way to trust it is named", async () => {
  await fillTable(database.sql, tenants.slice(0, 1));
  const server = servers["sod.superoffice.com:443"]!;
  const [connections, bytesHeard] = [server.connections(), server.bytesHeard()];
  const { output, exitCode } = await poll({});
  assert.match(
    output,
    /WARNING Cust10001: sod\.superoffice\.com could not be reached .*NODE_EXTRA_CA_CERTS.*\[NETWORK_FAILED\]/,
  );
  assert.equal(exitCode, 1);
  assert.ok(server.connections() > connections);
  assert.equal(server.bytesHeard(), bytesHeard);
});

test("the wire's own transport sends nothing either where nobody trusts the certificate", async () => {
  const server = await startTlsServer(stranger.certify("localhost"), 1);
  await assert.rejects(
    sendByFetch({ purpose: "the test", url: `https://localhost:${server.port}/` }),
    { code: "NETWORK_FAILED", certificateFault: "untrusted", remedy: /authority \(CA\) trusted/ },
  );
  assert.ok(server.connections() > 0);
  assert.equal(server.bytesHeard(), 0);
});

test("a Postgres over TLS", async (t) => {
  await fillTable(database.sql, tenants.slice(0, 1));
  const plainPort = Number(new URL(database.databaseUrl).port || 5432);
  /** One poll with a database at db.example. Either of the two variables is heeded on Deno. */
  const pollFrom = (port: number, sslmode: string) => {
    const url = new URL(database.databaseUrl);
    url.host = "db.example:5432";
    url.searchParams.set("sslmode", sslmode);
    return poll({
      DATABASE_URL: url.href,
      [IS_DENO ? "DENO_CERT" : "NODE_EXTRA_CA_CERTS"]: trustedFile,
    }, { "db.example:5432": port });
  };

  const good: [sslmode: string, what: string, Certificate][] = [
    ["require", "any certificate", stranger.certify("elsewhere.example")],
    ["verify-full", "the right one", trusted.certify("db.example")],
  ];
  for (const [sslmode, what, certificate] of good) {
    await t.test(`sslmode=${sslmode} takes ${what}`, async () => {
      const server = await startPostgresTlsServer(certificate, plainPort);
      const { output, exitCode } = await pollFrom(server.port, sslmode);
      assert.match(output, /Logged on to context Cust10001 /);
      assert.equal(exitCode, 0);
      assert.ok(server.bytesHeard() > 0);
    });
  }

  const refused: [what: string, Certificate, RegExp][] = [
    [
      "of an authority that nobody trusts",
      stranger.certify("db.example"),
      /db\.example:5432 comes from nobody whom this machine trusts.*NODE_EXTRA_CA_CERTS.*DENO_CERT/,
    ],
    [
      "that has expired",
      trusted.certify("db.example", YESTERDAY),
      /certificate of .* db\.example:5432 .*Check this machine's clock/,
    ],
    [
      "for another name",
      trusted.certify("elsewhere.example"),
      /db\.example:5432 is for another name: .*DNS:elsewhere\.example\. Put the name .* DATABASE_URL/,
    ],
  ];
  for (const [what, certificate, words] of refused) {
    await t.test(`sslmode=verify-full refuses a certificate ${what}, and tells the server nothing`, async () => {
      const server = await startPostgresTlsServer(certificate, plainPort);
      const { output, exitCode } = await pollFrom(server.port, "verify-full");
      assert.match(output.match(/ERROR .*\[DATABASE_TROUBLE\]/)?.[0] ?? output, words);
      assert.equal(exitCode, 1);
      assert.ok(server.connections() > 0);
      assert.equal(server.bytesHeard(), 0);
    });
  }

  await t.test("sslmode=require at a server without TLS says so", async () => {
    const { output, exitCode } = await pollFrom(await startPostgresWithoutTls(), "require");
    assert.match(
      output,
      /ERROR .*db\.example:5432 takes no encrypted connections \(TLS\).*ssl = on/,
    );
    assert.equal(exitCode, 1);
  });
});
