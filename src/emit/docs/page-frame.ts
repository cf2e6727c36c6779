import { html, type Html } from "./html.js";
import { indexPath, type Site } from "./site.js";

/** The frame of every page: head, bar with the search, foot. */
export function pageFrame(site: Site, title: string, contents: Html | undefined, body: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="stylesheet" href="style.css" />
        <script src="search.js" defer></script>
      </head>
      <body id="top">
        <header class="bar">
          <a class="home" href="${indexPath}">virtio devices</a>
          <div class="finder">
            <input
              id="search"
              type="search"
              placeholder="Search names  ( / )"
              aria-label="Search names"
              autocomplete="off"
              spellcheck="false"
            />
            <ul id="results" hidden></ul>
          </div>
        </header>
        <div class="page">
          ${contents}
          <main>${body}</main>
        </div>
        <footer>Made by virtio-gen ${site.version}.</footer>
      </body>
    </html> `.toString();
}
