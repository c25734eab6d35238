// Formulas, then the slides; each slide gets letters small enough for all of it to be seen.
for (const element of document.querySelectorAll(".slides .math")) {
  katex.render(element.textContent, element, {
    displayMode: element.tagName === "DIV",
    throwOnError: false,
    errorColor: "#cc0000",
  });
}
for (const section of document.querySelectorAll(".slides section")) {
  if (!section.querySelector("section")) section.classList.add("leaf");
}

const SMALLEST = 0.6;

function fit(slide) {
  if (!slide || !slide.classList.contains("leaf")) return;
  let scale = 1;
  slide.style.setProperty("--scale", scale);
  while (slide.scrollHeight > slide.clientHeight + 1 && scale > SMALLEST) {
    scale -= 0.05;
    slide.style.setProperty("--scale", scale);
  }
}

Reveal.on("ready", (event) => fit(event.currentSlide));
Reveal.on("slidechanged", (event) => fit(event.currentSlide));
// A picture has no height before it is loaded.
for (const image of document.querySelectorAll(".slides img")) {
  image.loading = "eager";
  image.addEventListener("load", () => fit(Reveal.getCurrentSlide()));
}
for (const folded of document.querySelectorAll(".slides details")) {
  folded.addEventListener("toggle", () => fit(Reveal.getCurrentSlide()));
}
Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0.04,
  center: false,
  hash: true,
  slideNumber: "c/t",
  transition: "none",
  plugins: [RevealNotes],
});
