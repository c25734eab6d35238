// Set every formula of the page with the copy of KaTeX that lies beside this file.
for (const element of document.querySelectorAll(".math")) {
  katex.render(element.textContent, element, {
    displayMode: element.tagName === "DIV",
    throwOnError: false,
    errorColor: "#cc0000",
  });
}
