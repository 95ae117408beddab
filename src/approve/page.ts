// The pages that a browser shows: one screen each, without a script.
import { createHash } from "node:crypto";

/** What a page says. */
export interface Page {
  /** Whether it is good news, bad, or neither. */
  mood: "well" | "ill" | "plain";
  title: string;
  /** A paragraph each. */
  paragraphs: string[];
}

const STYLE = `
:root { color-scheme: light dark; --ground: #f2f5f4; --sheet: #fff; --ink: #1c2b28; --soft: #52655f; --line: #8aa39c;
  --well: #0a6e5f; --ill: #b3341f; font: 17px/1.55 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { :root { --ground: #101a17; --sheet: #1a2824; --ink: #e6efec; --soft: #a9bcb6;
  --line: #56706a; --well: #5fd0bb; --ill: #ff9a85; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; align-items: center; justify-content: center; padding: 1.25rem;
  background: var(--ground); color: var(--ink); }
main { width: 100%; max-width: 36rem; padding: 2rem 2.25rem; border-radius: 12px; background: var(--sheet);
  border-top: 5px solid var(--line); box-shadow: 0 2px 18px #0002; overflow-wrap: anywhere; }
main.well { border-color: var(--well); }
main.ill { border-color: var(--ill); }
h1 { margin: 0 0 1rem; font-size: 1.45rem; line-height: 1.3; }
.well h1 { color: var(--well); }
.ill h1 { color: var(--ill); }
p { margin: .75rem 0 0; }
footer { margin-top: 1.5rem; font-size: .82rem; color: var(--soft); }
@media (max-width: 30rem) { main { padding: 1.5rem 1.25rem; } h1 { font-size: 1.25rem; } }
`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** What goes with every answer: nothing is kept, told to others, shown inside another page, or run. */
export const PAGE_HEADERS: Record<string, string> = {
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Content-Security-Policy":
    `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
};

/** The page's HTML; what it says is text. */
export function pageHtml({ mood, title, paragraphs }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main class="${mood}">
<h1>${escaped(title)}</h1>
${paragraphs.map((text) => `<p>${escaped(text)}</p>`).join("\n")}
<footer>System User Service Console</footer>
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
