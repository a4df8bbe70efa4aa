// Checks that everything exists that the documentation names: linked pages and headings, npm scripts, files, tests by their titles.
// Does not know what the pages say about them.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, normalize } from 'node:path';

const LINK = /\]\(([^)\s]+)\)/g;
const SCRIPT = /npm run (?:--silent |-s )?([a-z][\w:-]*)/g;
const FILE = /`((?:src|plugins|routes|client|test|bench|deploy|docs|\.ci)\/[\w./-]+)`/g;
/** The form in which the threat model names the test that checks a line. */
const TEST_TITLE = /`(test\/[\w./-]+\.test\.ts)`: ([^|`]+?) *\|/g;
/** History: files and scripts of past versions may be gone. */
const HISTORY = 'CHANGELOG.md';

/** @returns {string[]} problems, in the order of the pages */
export function docProblems() {
  // Tracked and new pages, but none that is ignored.
  const listing = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', '*.md']);
  const pages = listing
    .toString()
    .split('\0')
    .filter((page) => page !== '' && existsSync(page));
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  return pages.flatMap((page) => problemsOf(page, readFileSync(page, 'utf8'), scripts));
}

function problemsOf(page, text, scripts) {
  const problems = [];
  for (const [, target] of withoutCode(text).matchAll(LINK)) problems.push(...linkProblems(page, target));
  if (page !== HISTORY) {
    for (const [, script] of text.matchAll(SCRIPT)) {
      if (!Object.hasOwn(scripts, script)) problems.push(`${page}: there is no script ${script}`);
    }
    for (const [, file] of text.matchAll(FILE))
      if (!existsSync(file)) problems.push(`${page}: there is no file ${file}`);
    for (const [, file, title] of text.matchAll(TEST_TITLE)) {
      if (existsSync(file) && !readFileSync(file, 'utf8').includes(title)) {
        problems.push(`${page}: ${file} has no test "${title}"`);
      }
    }
  }
  return [...new Set(problems)];
}

function linkProblems(page, target) {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return [];
  const [path, anchor] = target.split('#');
  const linked = path === '' ? page : normalize(`${dirname(page)}/${path}`);
  if (!existsSync(linked)) return [`${page}: the link ${target} leads nowhere`];
  if (anchor === undefined || !linked.endsWith('.md')) return [];
  return headingsOf(readFileSync(linked, 'utf8')).includes(anchor)
    ? []
    : [`${page}: ${linked} has no heading #${anchor}`];
}

/** Headings as GitHub turns them into anchors. */
function headingsOf(text) {
  return [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

function withoutCode(text) {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '');
}
