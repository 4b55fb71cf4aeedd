// The page is complete without this: it opens the fold that a link leads to, marks the current
// place in the contents, and sorts a table by the column whose head is pressed.
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  for (let one = target; one; one = one.parentElement) if (one.tagName === 'DETAILS') one.open = true;
  target?.querySelector(':scope > details.fold')?.setAttribute('open', '');
  target?.scrollIntoView();
};
addEventListener('hashchange', reveal);
if (location.hash) reveal();

const links = new Map([...document.querySelectorAll('nav a')].map(one => [one.hash.slice(1), one]));
const watch = new IntersectionObserver(seen => seen.forEach(one => {
  if (!one.isIntersecting) return;
  links.forEach(link => link.removeAttribute('aria-current'));
  links.get(one.target.id).setAttribute('aria-current', 'true');
}), {rootMargin: '-20% 0px -70% 0px'});
links.forEach((_, id) => watch.observe(document.getElementById(id)));

const value = (row, column) => {
  const text = row.cells[column].textContent.trim().replace('−', '-').replaceAll(',', '');
  return Number.isNaN(parseFloat(text)) ? text : parseFloat(text);
};
document.querySelectorAll('table').forEach(table => {
  const body = table.tBodies[0];
  if (table.tBodies.length !== 1 || table.tHead.rows.length !== 1 || body.rows.length < 3) return;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
      [...head.parentNode.cells].forEach(one => one.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', down > 0 ? 'ascending' : 'descending');
      const order = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a < typeof b ? -1 : 1;
      body.append(...[...body.rows].sort((a, b) => down * order(value(a, column), value(b, column))));
    });
  });
});
