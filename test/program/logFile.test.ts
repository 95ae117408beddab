import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { openLogFile } from "../../src/program/logFile.ts";

let folder: string;
let path: string;
let told: string[];
let onTold: () => void;

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "log-file-test-")), "logs");
  path = join(folder, "console.log");
  told = [];
  onTold = () => {};
});

function tell(reason: string): void {
  told.push(reason);
  onTold();
}

async function readAll(): Promise<string> {
  const names = await readdir(folder);
  return (await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))).join("");
}

test("lines go into a file of the day, its owner's alone, in a folder that is made", async () => {
  const file = await openLogFile(path, 3, tell);
  file.write("one\n");
  file.write("two\n");
  await file.close();
  const [name = ""] = await readdir(folder);
  assert.match(name, /^console-\d{4}-\d\d-\d\d\.log$/);
  assert.equal(await readAll(), "one\ntwo\n");
  assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
});

test("a folder that is removed is made again, and what was logged meanwhile stands in it", async () => {
  const file = await openLogFile(path, 3, tell);
  await rm(folder, { recursive: true });
  file.write("after\n");
  await file.close();
  assert.equal(await readAll(), "after\n");
  assert.deepEqual(told, []);
});

test("a file that was moved away is followed by a new one", async () => {
  const file = await openLogFile(path, 3, tell);
  const [name = ""] = await readdir(folder);
  await rename(join(folder, name), join(folder, "moved"));
  file.write("after\n");
  await file.close();
  assert.equal(await readFile(join(folder, name), "utf8"), "after\n");
});

test("what cannot be written is told once, kept, and written when it works again", async () => {
  const file = await openLogFile(path, 3, tell);
  const toldOnce = new Promise<void>((resolve) => onTold = resolve);
  // A file in the folder's place: nothing can be written there, by nobody.
  await rm(folder, { recursive: true });
  await writeFile(folder, "");
  file.write("meanwhile\n");
  await toldOnce;
  file.write("more\n");
  await rm(folder);
  await file.close();
  assert.equal(await readAll(), "meanwhile\nmore\n");
  assert.equal(told.length, 1);
  assert.match(told[0]!, /EEXIST|ENOTDIR|exists/);
});

test("what is too much to keep is counted, and the others are written", async () => {
  const file = await openLogFile(path, 3, tell);
  await rm(folder, { recursive: true });
  await writeFile(folder, "");
  const line = `${"x".repeat(999)}\n`;
  for (let count = 0; count < 5000; count++) file.write(line);
  await rm(folder);
  await file.close();
  const text = await readAll();
  const [note = "", ...lines] = text.trimEnd().split("\n");
  assert.match(note, /^\(\d+ lines could not be written\.\)$/);
  assert.equal(lines.length + Number(note.match(/\d+/)?.[0]), 5000);
});

test("a folder where no file can be made is refused at once", async () => {
  await writeFile(folder, "");
  await assert.rejects(openLogFile(path, 3, tell));
});

test("a disk that is full is told in words", {
  skip: await stat("/dev/full").then(() => false, () => "there is no /dev/full here"),
}, async () => {
  const file = await openLogFile(path, 3, tell);
  const [name = ""] = await readdir(folder);
  await rm(join(folder, name));
  await symlink("/dev/full", join(folder, name));
  file.write("kept\n");
  const toldOnce = new Promise<void>((resolve) => onTold = resolve);
  await toldOnce;
  assert.match(told[0]!, /ENOSPC|no space left|No space left/);
  await rm(join(folder, name));
  await file.close();
  assert.equal(await readAll(), "kept\n");
});
