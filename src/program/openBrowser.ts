import { spawn } from "node:child_process";
import process from "node:process";

/** What says whether somebody sits at a screen of this machine. */
export const SCREEN_VARIABLES = ["DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY"];

/** Whether a browser that is opened here is seen by who started this. */
export function hasScreen(
  variables: Record<string, string | undefined>,
  platform: string,
): boolean {
  if (variables["SSH_CONNECTION"] || variables["SSH_TTY"]) return false;
  if (platform === "darwin" || platform === "win32") return true;
  return Boolean(variables["DISPLAY"] || variables["WAYLAND_DISPLAY"]);
}

/** Opens an address in the user's browser. On Deno what started this does so, since this may start no program itself. */
export function openBrowser(address: string): void {
  if ("Deno" in globalThis && process.send !== undefined) process.send({ address });
  else startBrowser(address);
}

/** What opens an address, by platform; `xdg-open` on all others. */
const OPENERS: Record<string, string[]> = {
  darwin: ["open"],
  // No shell in between, which would read the signs of an address as its own.
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** Starts what opens an http address. Says nothing where that fails: the address was printed. */
export function startBrowser(address: string): void {
  if (!/^https?:\/\//.test(address)) return;
  const [command = "xdg-open", ...args] = OPENERS[process.platform] ?? [];
  try {
    spawn(command, [...args, address], { detached: true, stdio: "ignore" })
      .on("error", () => {}).unref();
  } catch {
    // It may not be started.
  }
}
