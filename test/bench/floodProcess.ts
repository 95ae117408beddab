// Floods the listeners of a console from a process of its own, until its standard input ends; then prints what it sent.
import { connect, type Socket } from "node:net";
import process from "node:process";
import type { Flood } from "./flood.ts";

const { flood, port, healthPort, jwt } = JSON.parse(process.argv[2] ?? "") as Flood;
/** How many it does at a time. */
const AT_ONCE = 32;
const HELD = 400;

const sent: Record<string, number> = {};
const note = (what: string | number) => void (sent[what] = (sent[what] ?? 0) + 1);
process.stdin.on("end", () => {
  console.log(JSON.stringify(sent));
  process.exit(0);
}).resume();

/** Holds connections that say no more than this; one that is closed is opened anew. */
function hold(text: string): void {
  for (let held = 0; held < HELD; held++) open(text);
}

function open(text: string): Socket {
  note("connections");
  return connect(port, "127.0.0.1").on("connect", function (this: Socket) {
    this.write(text);
  }).on("error", () => {}).on("close", () => void setImmediate(open, text));
}

/** Asks as fast as it is answered. */
async function ask(url: string, init: RequestInit): Promise<void> {
  for (;;) {
    const status = await fetch(url, init).then(async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    }, () => "hung up on");
    note(status);
  }
}

function post(body: string): void {
  const url = `http://127.0.0.1:${port}/NotifyCustomerStateChange`;
  for (let one = 0; one < AT_ONCE; one++) void ask(url, { method: "POST", body });
}

const notification = JSON.stringify({
  ChangeType: 5,
  ContextIdentifier: "Cust10001",
  Token: jwt,
});
const FLOODS: Record<Flood["flood"], () => void> = {
  "nothing": () => {},
  "connections that say nothing": () => hold(""),
  "connections with half of their headers": () => hold("POST / HTTP/1.1\r\nHost: x\r\nX: "),
  "bodies that are none": () => post("x".repeat(60_000)),
  "forged notifications": () => post(notification),
  "questions for /livez": () => {
    for (let one = 0; one < AT_ONCE; one++) void ask(`http://127.0.0.1:${healthPort}/livez`, {});
  },
};
FLOODS[flood]();
