// SPDX-License-Identifier: MIT OR Apache-2.0
// Enlarges the box that is clicked to the whole width; a click on the lowest one shows everything again.
(function () {
    const margin = 12, width = 1200 - 2 * margin, letter = 7.0;
    const boxes = Array.from(document.querySelectorAll(".box"));
    function draw(from, size) {
        for (const box of boxes) {
            const left = Number(box.dataset.x), wide = Number(box.dataset.w);
            const rect = box.querySelector("rect"), text = box.querySelector("text");
            const begin = Math.max(left, from), end = Math.min(left + wide, from + size);
            const shown = end - begin > 0.01;
            box.style.display = shown ? "" : "none";
            if (!shown) continue;
            const x = margin + (begin - from) / size * width, w = (end - begin) / size * width;
            rect.setAttribute("x", x);
            rect.setAttribute("width", Math.max(w - 0.5, 0.5));
            text.setAttribute("x", x + 3);
            const room = Math.floor((w - 6) / letter), name = box.dataset.name;
            text.textContent = room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 2) + "..";
        }
    }
    for (const box of boxes)
        box.addEventListener("click", () => draw(Number(box.dataset.x), Number(box.dataset.w)));
})();
