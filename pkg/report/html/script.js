'use strict';
(() => {
  const doc = document;
  const $ = (selector, at = doc) => at.querySelector(selector);
  const all = (selector, at = doc) => [...at.querySelectorAll(selector)];
  const target = (a) => doc.getElementById(a.hash.slice(1));
  const make = (tag, text = '', cls = '') => {
    const e = doc.createElement(tag);
    e.textContent = text;
    if (cls) e.className = cls;
    return e;
  };
  const rank = (severity) => 'ILMHC'.indexOf(severity.charAt(0).toUpperCase());

  // Where kinds have the template of their pods, and their versions.
  const at = new Map([['Pod', ''], ['PodTemplate', 'template.'], ['CronJob', 'spec.jobTemplate.spec.template.']]);
  for (const kind of 'ReplicationController Deployment StatefulSet DaemonSet ReplicaSet Job'.split(' ')) at.set(kind, 'spec.template.');
  const version = (kind) => /^(Pod|PodTemplate|ReplicationController)$/.test(kind) ? 'v1' : /Job$/.test(kind) ? 'batch/v1' : 'apps/v1';
  const valid = (name) => /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name);
  const scalar = (name) => /^[a-z][-a-z0-9.]*$/.test(name) && !/^(y|n|yes|no|on|off|true|false|null)$/.test(name) ? name : JSON.stringify(name);

  // What the appendix says, by ID.
  const findings = new Map(all('.f').map((f) => [f.id, { el: f, rank: rank($('b', f).className), rule: decodeURIComponent($('a', f).hash.slice(3)), subject: $('code', f).textContent }]));
  const sets = new Map(all('.sets>li[id^=s]').map((s) => {
    const list = all('a[href^="#f"]', s).map((a) => findings.get(a.hash.slice(1)));
    return [s.id, { el: s, list, text: list.map((f) => f.rule + ' ' + f.subject).join(' ') }];
  }));
  const workloads = all('.ns>details').map((el) => {
    const section = el.parentElement;
    const refs = all('p>a', el).map((a) => sets.get(a.hash.slice(1)));
    const called = $('summary', el).firstChild.data.trim();
    return {
      el, section, namespace: $('h3', section).textContent, called, refs,
      text: (el.textContent + ' ' + refs.map((s) => s.text).join(' ')).toLowerCase(),
    };
  });

  // The filter.
  const form = $('#filter'), { ns, sev, rule, text } = form.elements;
  const groups = new Map();
  const option = (parent, value, label) => parent.append(new Option(label, value));
  for (const name of [...new Set(workloads.map((w) => w.namespace))].sort()) option(ns, name, name);
  for (const family of all('.family')) {
    const name = $('h3', family).textContent, group = make('optgroup'), rules = all('dt', family).map((dt) => dt.id.slice(2));
    group.label = name;
    groups.set('*' + name, rules);
    option(group, '*' + name, 'All of: ' + name);
    for (const id of rules) option(group, id, id);
    rule.append(group);
  }
  const wanted = (f) => f.rank >= rank(sev.value) && (!rule.value || (groups.get(rule.value) || [rule.value]).includes(f.rule));
  const narrow = (within) => all('[data-finding]', within).forEach((d) => { d.hidden = !wanted(findings.get(d.dataset.finding)); });
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean), shown = new Set(), filtered = rank(sev.value) || rule.value;
    let n = 0;
    for (const w of workloads) {
      const ok = (!ns.value || w.namespace === ns.value) && words.every((word) => w.text.includes(word)) &&
        (!filtered || w.refs.some((s) => s.list.some(wanted)));
      w.el.hidden = !ok;
      if (ok && ++n) shown.add(w.section);
    }
    for (const s of all('.ns')) s.hidden = !shown.has(s);
    narrow(doc);
    $('#count').textContent = n + ' of ' + workloads.length + ' workloads';
    const state = new URLSearchParams([...new FormData(form)].filter(([, value]) => value && value !== 'info')).toString();
    if (state || location.hash.startsWith('#?')) history.replaceState(null, '', state ? '#?' + state : '#workloads');
  };
  const show = (values) => {
    for (const field of [ns, sev, rule, text]) field.value = values[field.name] ?? field.options?.[0].value ?? '';
    apply();
    $('#workloads').scrollIntoView();
    $('#workloads').focus({ preventScroll: true });
  };

  // The findings of a workload, in its place.
  const name = (within, values, quote = (s) => s) => all('var', within).forEach((v) => {
    const value = values[v.textContent] ?? '';
    v.replaceWith(/[-/]$/.test(v.previousSibling?.data) ? value : quote(value));
  });
  const patchOf = (pre, w, kind, called, values, prefix) => {
    if (!pre || !at.has(kind) || ![called, w.namespace].every(valid)) return '';
    const copy = pre.cloneNode(true);
    name(copy, values, scalar);
    let body = copy.textContent, head = '';
    const fields = prefix.split('.').slice(0, -1), meta = 'metadata:\n  name: ' + scalar(called) + '\n  namespace: ' + scalar(w.namespace) + '\n';
    if (!fields.length && body.startsWith('metadata:\n')) body = meta + body.slice(10);
    else {
      head = meta + fields.map((field, i) => '  '.repeat(i) + field + ':\n').join('');
      body = body.replace(/^(?=.)/gm, '  '.repeat(fields.length));
    }
    return '# kubectl patch ' + kind.toLowerCase() + '/' + called + ' --namespace ' + w.namespace + ' --patch-file FILE\n' +
      'apiVersion: ' + version(kind) + '\nkind: ' + kind + '\n' + head + body;
  };
  const copyText = async (button, pre) => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
    } catch {
      getSelection().selectAllChildren(pre);
      doc.execCommand('copy');
    }
    button.textContent = 'Copied';
    $('#count').textContent = 'The patch is copied.';
  };
  const fill = (w) => {
    if ($('.c', w.el)) return;
    const cut = w.called.indexOf('/'), kind = w.called.slice(0, cut), called = w.called.slice(cut + 1);
    const prefix = w.el.dataset.prefix ?? at.get(kind) ?? '';
    const [facts, list] = all(':scope>p', w.el), pod = $('a', facts), links = list ? all('a', list) : [];
    const names = Object.fromEntries(links.map((a, i) => ['container ' + (i + 1), a.textContent]));
    for (const a of pod ? [pod, ...links] : links) {
      const container = a === pod ? '' : a.textContent, set = target(a), box = make('div', '', 'c'), h = make('h4', container || 'Pod as a whole');
      const values = { ...names, container, account: called.replace(/^[-.]+|[-.]+$/g, '') };
      // What stands beside the container: variables, each with its value.
      for (let e = a; (e = e.nextElementSibling)?.localName === 'i';) {
        const [, key, value] = /(.+) (.+)/.exec(e.textContent);
        values[key] = value;
      }
      if (container) h.append(make('span', ' ' + (a.nextSibling?.data ?? '').trim()));
      box.append(h);
      for (const ref of all('a[href^="#f"]', set)) {
        const { el, rule } = findings.get(ref.hash.slice(1)), d = make('details'), s = make('summary'), body = make('div', '', 'in');
        d.dataset.finding = el.id;
        s.append($('b', el).cloneNode(true), ' ' + $('a', el).textContent + ': ', $('code', el).cloneNode(true));
        name(s, values);
        const dt = doc.getElementById('r-' + rule);
        if (dt) body.append(make('p', $('p', dt.nextElementSibling).textContent), make('p', all('p', dt.nextElementSibling)[1].textContent));
        const change = $(':scope>div', el)?.cloneNode(true);
        if (change) {
          const [fields, patch] = all('pre', change);
          name(fields, values);
          fields.textContent = fields.textContent.replace(/^(?=.)/gm, prefix);
          body.append($('p', change), fields);
          const yaml = patchOf(patch, w, kind, called, values, prefix);
          if (yaml) {
            const holder = make('div', '', 'patch'), pre = make('pre', yaml), button = make('button', 'Copy patch');
            button.type = 'button';
            button.onclick = () => copyText(button, pre);
            pre.tabIndex = 0;
            holder.append(pre, button);
            body.append(holder);
          }
        } else body.append(make('p', 'No field of the manifest mends it.'));
        d.append(s, body);
        box.append(d);
      }
      const asks = $('a[href^="#p"]', set);
      if (asks) {
        const d = make('details'), lines = $('pre', target(asks)).cloneNode(true), n = lines.textContent.trim().split('\n').length;
        d.append(make('summary', 'Privileges it asks for: ' + n), lines);
        box.append(d);
      }
      w.el.append(box);
    }
    list?.remove();
    pod?.remove();
    narrow(w.el);
  };

  doc.documentElement.classList.add('js');
  form.hidden = false;
  form.oninput = apply;
  form.onsubmit = (e) => e.preventDefault();
  form.onreset = () => setTimeout(apply);
  // Events of details do not bubble.
  doc.addEventListener('toggle', (e) => {
    const w = e.target.open && workloads.find((w) => w.el === e.target);
    if (w) fill(w);
  }, true);
  doc.addEventListener('click', (e) => {
    const a = e.target.closest('a'), cell = a?.closest('.heat td');
    if (!a || e.ctrlKey || e.metaKey || e.shiftKey) return;
    let values;
    if (cell) values = { ns: $('th', cell.parentElement).textContent, rule: '*' + $('.heat thead tr').cells[cell.cellIndex].textContent };
    else if (a.dataset.severity) values = { sev: a.dataset.severity };
    else if (a.dataset.rule) values = { rule: a.dataset.rule };
    else return;
    e.preventDefault();
    show(values);
  });
  if (location.hash.startsWith('#?')) show(Object.fromEntries(new URLSearchParams(location.hash.slice(2))));
  else apply();
})();
