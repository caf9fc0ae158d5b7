// Charts with axes, by uPlot. It comes with `make web`: without it there are numbers.

import { el } from './dom.js';
import { library } from '../library.js';

const source = new URL('../../dist/uPlot.iife.min.js', import.meta.url);
const styles = new URL('../../dist/uPlot.min.css', import.meta.url);
const light = matchMedia('(prefers-color-scheme: light)');

let loading;
function load() {
  loading ??= new Promise((resolve, reject) => {
    const link = el('link', { rel: 'stylesheet', href: styles.href, onload: () => resolve(library(source.href, 'uPlot')), onerror: reject });
    document.head.append(link);
  });
  return loading;
}

// Chart shows one series in a figure: {title, write: value → text, whole: only whole numbers}.
export class Chart {
  constructor({ title, write, whole }) {
    Object.assign(this, { title, write, whole });
    this.value = el('output', {}, '–');
    this.range = el('span', {}, '');
    this.holder = el('div', { class: 'plot', role: 'img', 'aria-label': title });
    this.figure = el('figure', { class: 'chart' }, el('figcaption', {}, el('b', {}, title), this.range), this.value, this.holder);
    this.watch = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.recolour = () => this.rebuild();
    light.addEventListener('change', this.recolour);
  }

  size() {
    return { width: Math.max(80, this.holder.clientWidth), height: 130 };
  }

  // draw takes the points, the newest last, and the time of that in seconds.
  draw(values, at, step) {
    if (!values.length) return;
    const times = values.map((_, i) => at - (values.length - 1 - i) * step);
    // Where zero stands for nothing, it is no value.
    const known = this.write(0) === '–' ? values.filter((value) => value > 0) : values;
    this.data = [times, known === values ? values : values.map((value) => value || null)];
    const [least, most] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 0];
    this.newest = values.at(-1);
    this.value.textContent = this.write(this.newest);
    this.range.textContent = least === most ? '' : `${this.write(least)} to ${this.write(most)}`;
    this.holder.setAttribute('aria-label', `${this.title}: ${this.write(this.newest)} now, ${this.write(least)} to ${this.write(most)} in the last ${Math.max(1, Math.round((values.length * step) / 60))} min`);
    if (this.plot) this.plot.setData(this.data);
    else this.build();
  }

  async build() {
    if (this.building) return;
    this.building = true;
    try {
      const UPlot = await load();
      if (this.over) return;
      this.make(UPlot);
    } catch {
      this.holder.textContent = 'Charts are not built in (make web).';
    }
  }

  make(UPlot) {
    this.UPlot = UPlot;
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(name).trim();
    const axis = { stroke: colour('--dim'), font: '11px system-ui, sans-serif', grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    this.plot = new UPlot({
      ...this.size(),
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: 'stream' }, points: { size: 7 }, drag: { x: false, y: false } },
      scales: { x: { range: (_, from, to) => [Math.min(from, to - 60), to] }, y: { range: (_, least, most) => [0, most > 0 ? most * 1.15 : 1] } },
      axes: [
        { ...axis, size: 24, space: 70, values: (_, times) => times.map((time) => new Date(time * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: times.at(-1) - times[0] < 240 ? '2-digit' : undefined })) },
        { ...axis, size: 74, space: 34, incrs: this.whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000] : undefined, values: (_, all) => all.map((value) => (value ? this.write(value) : '0')) },
      ],
      series: [{}, { stroke: colour('--line-of'), fill: colour('--area-of'), width: 1.75, points: { show: false } }],
      hooks: { setCursor: [(plot) => this.point(plot.cursor.idx)] },
    }, this.data, this.holder);
    this.watch.observe(this.holder);
  }

  point(index) {
    const value = index === null || index === undefined ? this.newest : this.data[1][index];
    this.value.textContent = this.write(value ?? 0);
  }

  rebuild() {
    if (!this.plot) return;
    this.plot.destroy();
    this.make(this.UPlot);
  }

  end() {
    this.over = true;
    this.watch.disconnect();
    light.removeEventListener('change', this.recolour);
    this.plot?.destroy();
  }
}
