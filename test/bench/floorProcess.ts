// The floor: a bare loop that makes a console's requests, as many at once, and checks nothing.
import process from "node:process";
import { request } from "undici";
import { CLIENT_SECRET, makeTenants } from "../support/sampleTenants.ts";
import { importSampleKey } from "./sampleKey.ts";

export interface FloorInput {
  loginUrl: string;
  client: "fetch" | "undici";
  customers: number;
  concurrency: number;
  laterPolls: number;
}

export interface FloorTimes {
  firstMs: number;
  laterMs: number[];
  /** Of the process, for one later poll. */
  laterCpuMs: number;
}

type Send = (url: string, init?: {
  method?: "POST";
  headers: Record<string, string>;
  body?: string;
}) => Promise<string>;

const send: Record<FloorInput["client"], Send> = {
  fetch: async (url, init) => await (await fetch(url, init)).text(),
  undici: async (url, init) => await (await request(url, init)).body.text(),
};

const input: FloorInput = JSON.parse(process.argv[2] ?? "");
const { loginUrl, client, customers, concurrency, laterPolls } = input;
const get = send[client];
const tenants = makeTenants(customers);
const key = await importSampleKey();
const json = { "Content-Type": "application/json" };
const calls: { url: string; headers: Record<string, string> }[] = [];

async function firstPoll(index: number): Promise<void> {
  const { contextIdentifier, systemUserToken } = tenants[index]!;
  const { Api } = JSON.parse(await get(`${loginUrl}/api/state/${contextIdentifier}`));
  const minute = new Date().toISOString().replace(/\D/g, "").slice(0, 12);
  const signedPart = `${systemUserToken}.${minute}`;
  const data = new TextEncoder().encode(signedPart);
  const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", key, data);
  const { Token } = JSON.parse(
    await get(`${loginUrl}/Login/api/PartnerSystemUser/Authenticate`, {
      method: "POST",
      headers: json,
      body: JSON.stringify({
        SignedSystemToken: `${signedPart}.${Buffer.from(signature).toString("base64")}`,
        ApplicationToken: CLIENT_SECRET,
        ContextIdentifier: contextIdentifier,
        ReturnTokenType: "JWT",
      }),
    }),
  );
  const claims = JSON.parse(Buffer.from(Token.split(".")[1], "base64url").toString());
  calls[index] = {
    url: `${Api}/v1/User/currentPrincipal`,
    headers: {
      "Authorization": `SOTicket ${claims["http://schemes.superoffice.net/identity/ticket"]}`,
      "SO-AppToken": CLIENT_SECRET,
    },
  };
  await laterPoll(index);
}

async function laterPoll(index: number): Promise<void> {
  const { url, headers } = calls[index]!;
  JSON.parse(await get(url, { headers }));
}

async function time(work: (index: number) => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (next < customers) await work(next++);
  }));
  return performance.now() - startedAt;
}

const firstMs = await time(firstPoll);
const laterMs: number[] = [];
const cpuBefore = process.cpuUsage();
for (let poll = 0; poll < laterPolls; poll++) laterMs.push(await time(laterPoll));
const { user, system } = process.cpuUsage(cpuBefore);
const laterCpuMs = (user + system) / 1000 / laterPolls;
console.log(JSON.stringify({ firstMs, laterMs, laterCpuMs } satisfies FloorTimes));
process.exit();
