// A line of the last minute on a canvas.

const samples = 120; // one minute, two a second

export class Spark {
  #canvas;
  #values = [];

  constructor(canvas) {
    this.#canvas = canvas;
  }

  clear() {
    this.#values = [];
  }

  // add takes a number, or null for "not known", which leaves a gap.
  add(value) {
    this.#values.push(value);
    if (this.#values.length > samples) this.#values.shift();
    this.#draw();
  }

  #draw() {
    const canvas = this.#canvas;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const ctx = canvas.getContext('2d');
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.clearRect(0, 0, width, height);

    // Zero is the floor, so that a steady line is a flat one and not magnified noise.
    const top = Math.max(1, ...this.#values) * 1.15;
    const x = (i) => width - 1.5 - ((this.#values.length - 1 - i) * (width - 3)) / (samples - 1);
    const y = (v) => height - 1 - (Math.max(0, v) / top) * (height - 3);

    const colour = getComputedStyle(canvas);
    ctx.fillStyle = colour.getPropertyValue('--line');
    ctx.fillRect(0, height - 1, width, 1);
    ctx.lineWidth = 1.5;
    ctx.lineJoin = 'round';
    ctx.strokeStyle = ctx.fillStyle = colour.getPropertyValue('--water');
    for (const [from, to] of runs(this.#values)) {
      ctx.beginPath();
      for (let i = from; i < to; i++) ctx.lineTo(x(i), y(this.#values[i]));
      ctx.stroke();
      ctx.lineTo(x(to - 1), height - 1);
      ctx.lineTo(x(from), height - 1);
      ctx.globalAlpha = 0.14;
      ctx.fill();
      ctx.globalAlpha = 1;
    }
  }
}

// runs yields [from, to) of each stretch of known values.
function* runs(values) {
  let from = -1;
  for (let i = 0; i <= values.length; i++) {
    const known = i < values.length && values[i] !== null;
    if (known && from < 0) from = i;
    if (!known && from >= 0) {
      yield [from, i];
      from = -1;
    }
  }
}
