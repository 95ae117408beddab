import { connect } from "node:net";

/** Sends text as it is to a port of this machine; gives what comes back until the other side hangs up. */
export async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (bytes) => answer += bytes).on("error", () => {});
  socket.write(text);
  // By an error, too.
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}
