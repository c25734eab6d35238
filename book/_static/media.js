// Players wait until the reader is near. Then they fetch the beginning of their file, so that they
// can say how long it is, but nothing is fetched that nobody scrolls to.
if ("IntersectionObserver" in window) {
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        target.preload = "metadata";
        near.unobserve(target);
      }
    },
    { rootMargin: "400px" },
  );
  for (const player of document.querySelectorAll("audio, video")) near.observe(player);
}
