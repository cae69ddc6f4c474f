// The slider of a toy case: pictures follow it, and the address keeps the slice.

const form = document.getElementById("slider");
const layers = document.querySelector(".layers");
const slider = form.elements.slice;

function show(number) {
  slider.value = number;
  form.querySelector("output").textContent = slider.value;
  for (const image of layers.querySelectorAll("img")) {
    image.src = `${layers.dataset.pictures}${slider.value}.webp?layer=${image.dataset.layer}`;
    image.alt = image.alt.replace(/slice \d+$/, `slice ${slider.value}`);
  }
  const address = new URL(location.href);
  address.searchParams.set("axis", form.elements.axis.value);
  address.searchParams.set("slice", slider.value);
  history.replaceState(null, "", address);
}

slider.addEventListener("input", () => show(slider.value));
for (const [rel, step] of [["prev", -1], ["next", 1]]) {
  form.querySelector(`a[rel=${rel}]`).addEventListener("click", (event) => {
    event.preventDefault();
    show(Number(slider.value) + step);
  });
}
form.querySelector("button").hidden = true;
