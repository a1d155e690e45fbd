// The chart of issued and revoked certificates per day.  The table below it says the same in text.
import uPlot from "./vendor/uplot/uPlot.esm.js";

const place = document.querySelector("[data-daily]");
const values = JSON.parse(document.querySelector("[data-daily-values]").textContent);
const days = values.dates.map((date) => Date.parse(`${date}T00:00:00Z`) / 1000);
let chart;

// A canvas knows no variables of the page: the browser works them out on an element.
function colour(name) {
  place.style.color = `var(${name})`;
  return getComputedStyle(place).color;
}

function options() {
  const axis = { stroke: colour("--ch-quiet"), font: "12px Inter, sans-serif", grid: { stroke: colour("--ch-line"), width: 1 }, ticks: { show: false } };
  const line = (label, name) => ({
    label,
    stroke: colour(name),
    fill: colour(name).replace("rgb(", "rgba(").replace(")", ", 0.12)"),
    width: 2,
    points: { size: 5 },
  });
  return {
    width: place.clientWidth,
    height: 240,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    series: [{ label: "Day" }, line("Issued", "--ch-accent"), line("Revoked", "--ch-bad")],
    axes: [axis, { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6] }],
    scales: { y: { range: (_, least, most) => [0, Math.max(5, Math.ceil(most * 1.1))] } },
  };
}

function draw() {
  chart?.destroy();
  chart = new uPlot(options(), [days, values.issued, values.revoked], place);
}

draw();
new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 240 })).observe(place);
new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-bs-theme", "data-theme", "class"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
