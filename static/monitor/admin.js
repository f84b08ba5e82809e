// Select2's search boxes in the admin have no accessible name: give each the label of its field.
new MutationObserver(() => {
  for (const box of document.querySelectorAll(".select2-search__field:not([aria-label])")) {
    const field = box.closest(".select2-container")?.previousElementSibling;
    box.setAttribute("aria-label", field?.labels?.[0]?.textContent.trim() ?? "Search");
  }
}).observe(document, { childList: true, subtree: true });
