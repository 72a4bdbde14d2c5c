// A picture file as the network sees it, where no server opens it: as rnnvision.data.images.View does.

const GREY = [19595, 38470, 7471]; // weights of red, green and blue, in 65536ths, as Pillow has them

// Gives { seen: Uint8Array of (C, H, W), inverted }; invert: "auto", "true" or "false".
export async function open(blob, facts, invert) {
  const mb = Math.round(facts.max_upload / 1e6);
  if (blob.size > facts.max_upload) throw new Error(`this file is larger than ${mb} MB; choose a smaller one`);
  const planes = view(await pixelsOf(blob, facts), facts);
  const inverted = invert === "true" || (invert === "auto" && facts.dark && hasLightBorder(planes));
  const size = planes[0].data.length;
  const seen = new Uint8Array(planes.length * size);
  planes.forEach((plane, c) => seen.set(inverted ? plane.data.map((v) => 255 - v) : plane.data, c * size));
  return { seen, inverted };
}

// One plane of bytes a channel, upright, on white where the picture is transparent.
async function pixelsOf(blob, facts) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Error("this file cannot be read as an image of a kind that this browser knows");
  }
  const { width, height } = bitmap;
  const most = facts.view.max_pixels;
  if (width * height > most) throw new Error(`this image has ${width} × ${height} pixels; at most ${most} are read`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const plane = (value) => {
    const bytes = new Uint8Array(width * height);
    for (let i = 0; i < bytes.length; i++) bytes[i] = value(4 * i);
    return { data: bytes, width, height };
  };
  if (facts.shape[0] === 3) return [0, 1, 2].map((c) => plane((i) => data[i + c]));
  const [r, g, b] = GREY;
  return [plane((i) => (r * data[i] + g * data[i + 1] + b * data[i + 2] + 0x8000) >> 16)];
}

// The part that the network sees, at its size.
function view(planes, facts) {
  const [, h, w] = facts.shape;
  const { width, height } = planes[0];
  if (facts.view.fit === "letterbox") {
    const scale = Math.min(h / height, w / width);
    const [rows, columns] = [
      [height, h],
      [width, w],
    ].map(([side, most]) => Math.min(Math.max(1, even(side * scale)), most));
    const [top, left] = [Math.floor((h - rows) / 2), Math.floor((w - columns) / 2)];
    return planes.map((plane) => {
      const small = resized(plane, rows, columns);
      const data = new Uint8Array(h * w);
      for (let y = 0; y < rows; y++)
        data.set(small.data.subarray(y * columns, (y + 1) * columns), (top + y) * w + left);
      return { data, width: w, height: h };
    });
  }
  const ratio = facts.view.crop_ratio;
  const part =
    height * w <= width * h ? [ratio * height, ratio * ((height * w) / h)] : [ratio * ((width * h) / w), ratio * width];
  const [rows, columns] = part.map((side) => Math.max(1, even(side)));
  const [top, left] = [even((height - rows) / 2), even((width - columns) / 2)];
  return planes.map((plane) => resized(cut(plane, top, left, rows, columns), h, w));
}

function cut({ data, width }, top, left, rows, columns) {
  const part = new Uint8Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    const start = (top + y) * width + left;
    part.set(data.subarray(start, start + columns), y * columns);
  }
  return { data: part, width: columns, height: rows };
}

// Antialiased, bilinear: each pixel is a mean under a triangle as wide as its share of the picture. Rows, then columns.
function resized({ data, width, height }, rows, columns) {
  if (width === columns && height === rows) return { data, width, height };
  const across = taps(width, columns);
  const narrow = new Uint8Array(height * columns);
  for (let y = 0; y < height; y++)
    across.forEach(({ first, weights }, x) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * data[y * width + first + i];
      narrow[y * columns + x] = Math.round(sum);
    });
  const small = new Uint8Array(rows * columns);
  taps(height, rows).forEach(({ first, weights }, y) => {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * narrow[(first + i) * columns + x];
      small[y * columns + x] = Math.round(sum);
    }
  });
  return { data: small, width: columns, height: rows };
}

function taps(from, to) {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach + 0.5), from);
    const weights = Array.from({ length: last - first }, (_, j) =>
      Math.max(0, 1 - Math.abs(first + j + 0.5 - centre) / reach),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function hasLightBorder(planes) {
  const border = planes.flatMap(({ data, width, height }) => [
    ...data.subarray(0, width),
    ...data.subarray(width * (height - 1)),
    ...Array.from({ length: height }, (_, y) => data[y * width]),
    ...Array.from({ length: height }, (_, y) => data[y * width + width - 1]),
  ]);
  return border.sort((a, b) => a - b)[Math.floor((border.length - 1) / 2)] > 127.5;
}

// To the nearest whole number, halves to the even one, as Python rounds.
const even = (v) => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v));
