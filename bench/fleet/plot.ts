/** Draws lines and marks into an SVG that is readable on light and dark pages. Knows no figures. */

/** An axis. Its ticks say which values are labelled. */
export interface Axis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly isLog?: boolean;
  readonly ticks: readonly (readonly [value: number, label: string])[];
}

export interface Series {
  /** Shown for the first three series. */
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** A line, a line that keeps each value until the next, or separate marks. */
  readonly as: 'line' | 'steps' | 'marks';
}

export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 340;
const INNER = { left: 88, right: 696, top: 56, bottom: 288 };
const MARK_RADIUS = 3;
const LEGEND_STEP = 198;

/** Colours. A fourth series has the first one again, so that marks match the line three before. */
const COLOURS = 3;
/** Two shades of each colour, each at least 3:1 against its background. */
const STYLE = `
.b{fill:#ffffff}.t{fill:#1f2328}.g{stroke:#d1d9e0}.a{stroke:#59636e}
.l0{stroke:#0969da}.l1{stroke:#bc4c00}.l2{stroke:#1a7f37}.m0{fill:#0969da}.m1{fill:#bc4c00}.m2{fill:#1a7f37}
text{font:13px system-ui,sans-serif}.h{font-weight:600;font-size:15px}.l{fill:none;stroke-width:2;stroke-linejoin:round}
@media(prefers-color-scheme:dark){
.b{fill:#0d1117}.t{fill:#f0f6fc}.g{stroke:#3d444d}.a{stroke:#9198a1}
.l0{stroke:#4493f8}.l1{stroke:#f0883e}.l2{stroke:#3fb950}.m0{fill:#4493f8}.m1{fill:#f0883e}.m2{fill:#3fb950}}`;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
/** Coordinates to a tenth, which no eye can tell apart. */
const short = (value: number): string => String(Math.round(value * 10) / 10);

/** Where a value lies on an axis, from 0 to 1. Values outside lie at its ends. */
function share({ from, to, isLog = false }: Axis, value: number): number {
  const scaled = (each: number): number => (isLog ? Math.log10(each) : each);
  const inside = Math.min(Math.max(value, from), to);
  return (scaled(inside) - scaled(from)) / (scaled(to) - scaled(from));
}

/** The picture as text. */
export function svgOf({ title, x, y, series }: Plot): string {
  const { left, right, top, bottom } = INNER;
  const across = (value: number): string => short(left + share(x, value) * (right - left));
  const up = (value: number): string => short(bottom - share(y, value) * (bottom - top));
  const grid = [
    ...y.ticks.flatMap(([value, label]) => [
      `<path class="g" d="M${left} ${up(value)}H${right}"/>`,
      `<text class="t" x="${left - 8}" y="${up(value)}" dy="4" text-anchor="end">${escaped(label)}</text>`,
    ]),
    ...x.ticks.map(
      ([value, label]) =>
        `<text class="t" x="${across(value)}" y="${bottom + 20}" text-anchor="middle">${escaped(label)}</text>`,
    ),
    `<path class="a" d="M${left} ${bottom}H${right}"/>`,
    `<text class="t" x="${(left + right) / 2}" y="${bottom + 42}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text class="t" x="14" y="${(top + bottom) / 2}" transform="rotate(-90 14 ${(top + bottom) / 2})" text-anchor="middle">${escaped(y.label)}</text>`,
  ];
  const drawn = series.map(({ points, as }, index) => {
    const at = index % COLOURS;
    if (as === 'marks') {
      return points
        .map(([px, py]) => `<circle class="m${at}" cx="${across(px)}" cy="${up(py)}" r="${MARK_RADIUS}"/>`)
        .join('');
    }
    const path = points.map(([px, py], step) => {
      if (step === 0) return `M${across(px)} ${up(py)}`;
      return as === 'line' ? `L${across(px)} ${up(py)}` : `H${across(px)}V${up(py)}`;
    });
    return `<path class="l l${at}" d="${path.join('')}"/>`;
  });
  const legend = series.slice(0, COLOURS).map(({ name }, at) => {
    const start = left + at * LEGEND_STEP;
    return `<path class="l l${at}" d="M${start} 40h22"/><text class="t" x="${start + 28}" y="44">${escaped(name)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"><title>${escaped(title)}</title><style>${STYLE}</style>`,
    `<rect class="b" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="t h" x="${left}" y="22">${escaped(title)}</text>`,
    ...legend,
    ...grid,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}
