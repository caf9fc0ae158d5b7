// Copies the libraries for players and charts, and their licences, from node_modules into dist/,
// where web.go embeds them. Nothing is bundled or changed, except that each
// "sourceMappingURL" line goes: the maps stay behind, so it would point nowhere.

import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';

const libraries = [
  { from: 'hls.js/dist/hls.min.js', to: 'hls.min.js' },
  { from: 'dashjs/dist/modern/umd/dash.all.min.js', to: 'dash.all.min.js' },
  { from: 'uplot/dist/uPlot.iife.min.js', to: 'uPlot.iife.min.js' },
  { from: 'uplot/dist/uPlot.min.css', to: 'uPlot.min.css' },
];

const licences = [
  { from: 'hls.js/LICENSE', to: 'hls.LICENSE.txt' },
  { from: 'uplot/LICENSE', to: 'uPlot.LICENSE.txt' },
  { from: 'dashjs/LICENSE.md', to: 'dash.LICENSE.txt' },
  { from: 'dashjs/dist/modern/umd/dash.all.min.js.LICENSE.txt', to: 'dash.parts.LICENSE.txt' },
];

const modules = new URL('./node_modules/', import.meta.url);
const dist = new URL('./dist/', import.meta.url);

await mkdir(dist, { recursive: true });
for (const { from, to } of libraries) {
  const text = await readFile(new URL(from, modules), 'utf8');
  await writeFile(new URL(to, dist), text.replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, '\n'));
  console.log(`dist/${to}`);
}
for (const { from, to } of licences) {
  await copyFile(new URL(from, modules), new URL(to, dist));
}
