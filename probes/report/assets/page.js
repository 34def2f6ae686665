"use strict";
// Dark or light, and the ranking of probes/report/decision.py computed again for the reader's own weights.
// Nothing is loaded or sent: the policy of the page forbids it.

(() => {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const say = () => { button.textContent = isDark() ? "Light colours" : "Dark colours"; };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; say(); });
  dark.addEventListener("change", say);
  button.hidden = false;
  say();
})();

(() => {
  const opened = [];
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; opened.push(part); }
  });
  window.addEventListener("afterprint", () => { while (opened.length) opened.pop().open = false; });
})();

(() => {
  const holder = document.getElementById("decision-data");
  if (!holder) return;
  const data = JSON.parse(holder.textContent);
  const find = (name) => document.getElementById(name);
  const keys = [...new Set(data.criteria.flatMap((criterion) => criterion.terms.map((term) => term.key)))];
  const known = (values) => values.filter((value) => value !== null);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  // The generator mulberry32.
  function stream(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6D2B79F5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  function drawn(contender, place) {
    const next = stream(data.seed ^ Math.imul(place, data.golden));
    const table = keys.map(() => new Float64Array(data.draws).fill(NaN));
    const chosen = new Int32Array(contender.count);
    const columns = keys.map((key) => {
      const values = contender.values[key];
      if (!values) return null;
      const there = known(values);
      return {
        values, mean: mean(there), stretch: data.stretches[there.length - 1], single: there.length < 2,
        positive: mean(there) > 0 && there.every((value) => value > 0),
      };
    });
    for (let draw = 0; draw < data.draws; draw += 1) {
      for (let index = 0; index < chosen.length; index += 1) chosen[index] = Math.floor(next() * contender.count);
      columns.forEach((column, place_) => {
        if (!column) return;
        if (column.single) { table[place_][draw] = column.mean; return; }
        let sum = 0, count = 0;
        for (const index of chosen) {
          const value = column.values[index];
          if (value !== null) { sum += value; count += 1; }
        }
        const found = count ? sum / count : column.mean;
        table[place_][draw] = column.positive
          ? column.mean * (found / column.mean) ** column.stretch
          : column.mean + column.stretch * (found - column.mean);
      });
    }
    return table;
  }

  const draws = data.contenders.map(drawn);
  const means = data.contenders.map((contender) =>
    keys.map((key) => Float64Array.of(contender.values[key] ? mean(known(contender.values[key])) : NaN)));

  function factorOf(term, setting) {
    let factor = term.sign;
    for (const name of term.times) factor *= setting[name];
    for (const name of term.per) factor /= setting[name];
    return factor;
  }

  const termsOf = (criterion, setting) => criterion.terms.filter((term) => factorOf(term, setting) !== 0);

  function whyNot(criterion, setting) {
    const terms = termsOf(criterion, setting);
    if (!terms.length) return "nothing of it happens in this situation";
    for (const contender of data.contenders) {
      for (const term of terms) {
        if (!(term.key in contender.values)) {
          return `${term.key} of ${contender.name} is missing (${contender.missing[term.key] ?? "not_in_record"})`;
        }
      }
    }
    return null;
  }

  function cost(table, draw, criterion, terms, factors) {
    let total = criterion.offset;
    terms.forEach((term, index) => { total += factors[index] * table[keys.indexOf(term.key)][draw]; });
    return Math.log(Math.max(total, criterion.floor));
  }

  function scoresOf(tables, count, used, setting, weights, total) {
    return tables.map((table) => {
      const scores = new Float64Array(count);
      for (const criterion of used) {
        const terms = termsOf(criterion, setting);
        const factors = terms.map((term) => factorOf(term, setting));
        const share = weights[criterion.name] / total;
        for (let draw = 0; draw < count; draw += 1) scores[draw] += share * cost(table, draw, criterion, terms, factors);
      }
      return scores;
    });
  }

  const leaderOf = (scores) => scores.reduce((best, value, place) => (value < scores[best] ? place : best), 0);

  function quantile(sorted, probability) {
    const at = (sorted.length - 1) * probability;
    const below = Math.floor(at);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }

  function rank(setting, weights) {
    const counting = data.criteria.filter((criterion) => weights[criterion.name] > 0);
    const left = counting.map((criterion) => ({ criterion, why: whyNot(criterion, setting) })).filter((item) => item.why);
    const used = counting.filter((criterion) => !left.some((item) => item.criterion === criterion));
    if (!used.length) return { leader: null, left, used, turns: [], few: false };
    const total = used.reduce((sum, criterion) => sum + weights[criterion.name], 0);
    const point = scoresOf(means, 1, used, setting, weights, total).map((scores) => scores[0]);
    const leader = leaderOf(point);
    const few = used.some((criterion) => termsOf(criterion, setting).some((term) => !data.exact.includes(term.key)
      && data.contenders.some((contender) => known(contender.values[term.key]).length < data.least)));
    const scores = scoresOf(draws, data.draws, used, setting, weights, total);
    const chances = data.contenders.map(() => 0);
    for (let draw = 0; draw < data.draws; draw += 1) {
      const least = Math.min(...scores.map((found) => found[draw]));
      const winners = scores.map((found) => found[draw] <= least + 1e-12);
      const alike = winners.filter(Boolean).length;
      winners.forEach((wins, place) => { if (wins) chances[place] += 1 / alike; });
    }
    chances.forEach((count, place) => { chances[place] = count / data.draws; });
    const spreads = scores.map((found) => {
      const apart = found.map((value, draw) => value - scores[leader][draw]).sort();
      return [Math.exp(quantile(apart, 0.025)), Math.exp(quantile(apart, 0.975))];
    });
    const ratios = data.criteria.map((criterion) => {
      if (whyNot(criterion, setting)) return null;
      const terms = termsOf(criterion, setting);
      const factors = terms.map((term) => factorOf(term, setting));
      const costs = means.map((table) => cost(table, 0, criterion, terms, factors));
      return costs.map((value) => Math.exp(value - Math.min(...costs)));
    });
    const turns = [];
    for (const criterion of used) {
      const rest = used.filter((other) => other !== criterion);
      if (!rest.length) continue;
      const sum = rest.reduce((all, other) => all + weights[other.name], 0);
      const other = leaderOf(scoresOf(means, 1, rest, setting, weights, sum).map((found) => found[0]));
      if (other !== leader) turns.push({ criterion, name: data.contenders[other].name });
    }
    return { leader, left, used, turns, few, chances, spreads, ratios, relative: point.map((value) => Math.exp(value - point[leader])) };
  }

  const space = "\u00a0";
  function percent(share) {
    if (share >= 0.995) return `>${space}99${space}%`;
    if (share < 0.005) return `<${space}1${space}%`;
    return `${(share * 100).toFixed(0)}${space}%`;
  }
  function times(value) {
    if (value < 100) return `${value.toFixed(value < 10 ? 2 : 1)}\u00d7`;
    return `${value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",")}\u00d7`;
  }

  function answer(ranking) {
    if (ranking.leader === null) return "Nothing that counts in this situation was measured for all of them.";
    const name = data.contenders[ranking.leader].name;
    if (ranking.few) {
      return `${name} costs least by these weights. How sure that is cannot be said: something that counts `
        + `was measured fewer than ${data.least} times.`;
    }
    const said = `${name} costs least by these weights, with a probability of ${percent(ranking.chances[ranking.leader])}`;
    const others = data.contenders.map((contender, place) => ({ name: contender.name, chance: ranking.chances[place], place }))
      .filter((item) => item.place !== ranking.leader && item.chance >= data.naming)
      .sort((one, other) => other.chance - one.chance);
    return others.length ? `${said}; ${others.map((item) => `${item.name} ${percent(item.chance)}`).join(", ")}.` : `${said}.`;
  }

  function turnsSaid(ranking) {
    if (ranking.leader === null) return "";
    if (!ranking.turns.length) return "No single criterion decides it: whichever counted nothing, the same one would lead.";
    const said = ranking.turns.map((turn) => `${turn.name} without \u201c${turn.criterion.title}\u201d`);
    return `It hangs on single criteria: ${said.join(", ")} would lead.`;
  }

  function write(name, text) {
    const element = find(name);
    if (element.textContent !== text) element.textContent = text;
  }

  function show(setting, weights) {
    const ranking = rank(setting, weights);
    write("answer", answer(ranking));
    write("turns", turnsSaid(ranking));
    data.contenders.forEach((_contender, place) => {
      const isThere = ranking.leader !== null;
      const isSure = isThere && !ranking.few;
      const isLeader = ranking.leader === place;
      find(`standing-${place}`).classList.toggle("leader", isLeader);
      find(`bar-${place}`).setAttribute("width", isSure ? `${(ranking.chances[place] * 100).toFixed(1)}%` : "0%");
      write(`chance-${place}`, isSure ? percent(ranking.chances[place]) : "\u2013");
      write(`relative-${place}`, isThere ? times(ranking.relative[place]) : "\u2013");
      write(`spread-${place}`, isSure && !isLeader ? ranking.spreads[place].map(times).join(" to ") : "");
    });
    for (const [at, criterion] of data.criteria.entries()) {
      const ratios = ranking.ratios?.[at];
      find(`criterion-${criterion.name}`).classList.toggle("unused", !(weights[criterion.name] > 0));
      write(`weight-${criterion.name}`, String(weights[criterion.name]));
      data.contenders.forEach((_contender, place) => {
        write(`ratio-${criterion.name}-${place}`, ratios ? times(ratios[place]) : "\u2013");
      });
    }
    const holder_ = find("left-out");
    holder_.replaceChildren();
    if (ranking.left.length) {
      const head = document.createElement("p");
      head.textContent = "Left out although it counts:";
      const list = document.createElement("ul");
      for (const item of ranking.left) {
        const line = document.createElement("li");
        line.textContent = `${item.criterion.title}: ${item.why}`;
        list.append(line);
      }
      holder_.append(head, list);
    }
  }

  const numbers = [...document.querySelectorAll("input[data-setting]")];
  const sliders = [...document.querySelectorAll("input[data-weight]")];
  const select = find("situation");
  let setting = {}, weights = {};

  function take(name) {
    const situation = data.situations.find((item) => item.name === name);
    if (!situation) return;
    setting = { ...situation.setting };
    weights = Object.fromEntries(data.criteria.map((criterion) => [criterion.name, situation.weights[criterion.name] ?? 0]));
    for (const input of numbers) input.value = String(setting[input.dataset.setting] / data.multiples[input.dataset.setting]);
    for (const input of sliders) input.value = String(weights[input.dataset.weight]);
  }

  function changed() { select.value = "own"; show(setting, weights); }

  for (const input of numbers) {
    input.addEventListener("input", () => {
      if (input.value === "" || !input.checkValidity()) return;
      setting[input.dataset.setting] = input.valueAsNumber * data.multiples[input.dataset.setting];
      changed();
    });
  }
  for (const input of sliders) {
    input.addEventListener("input", () => { weights[input.dataset.weight] = input.valueAsNumber; changed(); });
  }
  select.addEventListener("change", () => { take(select.value); show(setting, weights); });
  document.getElementById("decision").addEventListener("submit", (event) => event.preventDefault());
  take(data.situations[0].name);
  select.value = data.situations[0].name;
  show(setting, weights);
})();
