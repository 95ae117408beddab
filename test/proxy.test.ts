// The console behind a proxy, which alone knows where the hosts of SuperOffice are: with real TLS to these, through it.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { StandIn } from "../fixtures/standIn.ts";
import { createAuthority } from "./support/certificates.ts";
import { emptyFolder, runConsole, startConsole } from "./support/childConsole.ts";
import { type ConnectProxy, startConnectProxy } from "./support/connectProxy.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { type TestDatabase, testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { startTlsServer } from "./support/tlsServers.ts";

const DOCTOR = fileURLToPath(new URL("../src/doctor.ts", import.meta.url));
const IS_DENO = "Deno" in globalThis;
const LOGIN = "sod.superoffice.com:443";
const TENANT = "online3.superoffice.com:443";
const PASSWORD = "hunter2/proxy";
const USER = "svc-proxy-user";

const authority = createAuthority("An authority that the console is told to trust");
const authorityFile = join(emptyFolder(), "authority.pem");
const [tenant] = makeTenants(1).map((tenant) => ({
  ...tenant,
  host: 0 as const,
  origin: "https://online3.superoffice.com",
}));

/** By the place that a proxy is asked for. */
let ports: Record<string, number>;
let database: TestDatabase;
let standIn: StandIn;
let closeOthers: () => Promise<unknown>;
/** The paths that the hosts of a work script's and the collector were asked for. */
const othersHeard: string[] = [];

before(async () => {
  await writeFile(authorityFile, authority.cert);
  database = await testDatabases.at(-1)!.start();
  standIn = await startTestStandIn([tenant!]);
  await fillTable(database.sql, [tenant!]);
  const portOf = (url: string) => Number(new URL(url).port);
  const serve = async (name: string, port: number) =>
    (await startTlsServer(authority.certify(name), port)).port;
  const others = createServer((request, response) => {
    othersHeard.push(request.url ?? "");
    request.resume().on("end", () => response.end("{}"));
  });
  await new Promise<void>((resolve) => others.listen(0, "127.0.0.1", resolve));
  const otherPort = (others.address() as AddressInfo).port;
  ports = {
    [LOGIN]: await serve("sod.superoffice.com", portOf(standIn.loginUrl)),
    [TENANT]: await serve("online3.superoffice.com", portOf(standIn.hostUrls[0]!)),
    "collector.example:4318": otherPort,
    "api.example:80": otherPort,
    "api.example:443": await serve("api.example", otherPort),
  };
  closeOthers = () =>
    new Promise((resolve) => {
      others.close(resolve);
      others.closeAllConnections();
    });
});

after(async () => {
  await closeOthers();
  await standIn.close();
  await database.close();
});

function settingsBehind(proxy: Pick<ConnectProxy, "host">): Record<string, string> {
  const { SUPEROFFICE_LOGIN_URL: _, ...settings } = settingsFor(standIn, database.databaseUrl);
  return {
    ...settings,
    https_proxy: `http://${USER}:${encodeURIComponent(PASSWORD)}@${proxy.host}`,
    NODE_EXTRA_CA_CERTS: authorityFile,
  };
}

test("all requests go through the proxy, which is told its password, and the database does not", async () => {
  // TLS with the proxy itself, and in it TLS with the host.
  const certificate = authority.certify("localhost");
  const proxy = await startConnectProxy(ports, { certificate });
  const plainProxy = await startConnectProxy(ports);
  const host = proxy.host.replace("127.0.0.1", "localhost");
  const path = join(emptyFolder(), "sync.ts");
  await writeFile(
    path,
    `import process from "node:process";
    export default async ({ fetch }) => {
      const own = await globalThis.fetch("https://api.example/own");
      await globalThis.fetch("${standIn.loginUrl}/direct");
      const { https_proxy, NO_PROXY } = process.env;
      return { summary: \`\${own.status}, \${(await fetch("v1/Contact")).status}, \${https_proxy} \${NO_PROXY}\` };
    };`,
  );
  const child = startConsole(
    ["--work", path, ...(IS_DENO ? ["--allow-net=api.example:443,127.0.0.1"] : [])],
    {
      ...settingsBehind(proxy),
      https_proxy: `https://${USER}:${encodeURIComponent(PASSWORD)}@${host}`,
      HTTPS_PROXY: "http://127.0.0.1:9",
      HTTP_PROXY: `http://${plainProxy.host}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.example:4318",
      POLL_SECONDS: "0.3",
      LOG_LEVEL: "debug",
    },
  );
  await child.waitFor(/Poll done/, 5);
  child.signal("SIGTERM");
  assert.equal(await child.ended, 0);
  const output = child.output();
  await proxy.close();

  assert.match(
    output,
    new RegExp(`Logging on at https://sod\\S+ through the proxy ${host},`),
  );
  assert.match(output, /Logged on to context Cust10001 as Associate 10001$/m);
  assert.match(
    output,
    new RegExp(`Cust10001: 200, 200, https://${host} localhost,127\\.0\\.0\\.1,`),
  );
  assert.deepEqual([...new Set(proxy.places)].sort(), ["api.example:443", TENANT, LOGIN]);
  assert.deepEqual([...new Set(plainProxy.places)], ["collector.example:4318"]);
  assert.ok(othersHeard.includes("/own"));
  assert.ok(othersHeard.includes("/v1/traces") && othersHeard.includes("/v1/metrics"));
  assert.deepEqual([...new Set(proxy.credentials)], [`${USER}:${PASSWORD}`]);
  // Connections are kept from poll to poll: two requests in each for the tenant alone.
  assert.ok(proxy.places.filter((place) => place === TENANT).length < 5, proxy.places.join(" "));
  assert.ok(!output.includes(PASSWORD) && !output.includes(USER) && !output.includes("hunter2%2F"));
});

test("a proxy that refuses is named, and neither SuperOffice is blamed nor a secret told", async () => {
  const proxy = await startConnectProxy(ports, { refusal: 407 });
  const { output, exitCode } = await runConsole(["--once"], settingsBehind(proxy));
  assert.match(
    output,
    new RegExp(
      `WARNING Cust10001: The proxy ${proxy.host} gave no connection to ${LOGIN}: .* 407\\. ` +
        "It wants a user and a password.* Set here: HTTPS_PROXY .*\\[PROXY_FAILED\\]",
    ),
  );
  assert.equal(exitCode, 1);
  assert.ok(!output.includes(USER) && !output.includes("hunter2"), output);
  await proxy.close();
});

test("the doctor names the proxy, and how to trust one that opens what goes through it", async () => {
  const proxy = await startConnectProxy(ports);
  const { NODE_EXTRA_CA_CERTS: _, ...settings } = settingsBehind(proxy);
  const { output, exitCode } = await runConsole([], settings, undefined, DOCTOR);
  const through = `through the proxy ${proxy.host}`;
  assert.ok(
    output.includes(`✓ settings: the login host is https://sod.superoffice.com, ${through}`),
  );
  assert.match(
    output,
    new RegExp(
      `✗ login host: sod\\.superoffice\\.com \\(${through}\\) could not be reached[^]*NODE_EXTRA_CA_CERTS`,
    ),
  );
  assert.match(output, /✓ database/);
  assert.equal(exitCode, 1);
  await proxy.close();
});

test("a proxy's address that cannot be used is a wrong setting, of which no secret is told", async () => {
  const settings = {
    ...settingsBehind({ host: "" }),
    https_proxy: "socks5://me:hunter2@proxy:1080",
  };
  const { output, exitCode } = await runConsole(["--once"], settings);
  assert.match(output, /https_proxy: a SOCKS proxy cannot be used; expected .* http:\/\/host:port/);
  assert.equal(exitCode, 2);
  assert.ok(!output.includes("hunter2"), output);
});
