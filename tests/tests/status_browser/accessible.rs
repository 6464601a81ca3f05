//! What a person needs who sees little, or has no mouse.

use jobs::RunState;

use crate::browser::{Browser, Tab};
use crate::program::{Program, send_confirmation};
use crate::{CONTROL, OFF, busy, last_run, no_complaints, screens};

/// What is wrong with a page, a line each.
pub(crate) const AUDIT: &str = r"(() => {
    const wrong = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const say = (what, node) => wrong.push(`${what}: ${node ? node.outerHTML.slice(0, 160) : ''}`);
    const shown = (node) => node.checkVisibility();
    for (const [selector, name] of [['main', 'main'], ['body > header', 'banner'], ['body > footer', 'footer'], ['h1', 'h1']])
        if (all(selector).length !== 1) say(`${all(selector).length} of ${name}`);
    if (!document.documentElement.lang || !document.title) say('no language or title');
    let level = 0;
    for (const heading of all('h1,h2,h3,h4,h5,h6')) {
        const its = Number(heading.tagName[1]);
        if (its > level + 1) say(`a heading of level ${its} after one of ${level}`, heading);
        level = its;
    }
    const names = all('nav').filter(shown).map(nav => nav.getAttribute('aria-label'));
    if (names.some(name => !name) || new Set(names).size !== names.length) say(`navs are called ${names}`);
    const ids = all('[id]').map(node => node.id);
    for (const id of ids) if (ids.filter(other => other === id).length > 1) say(`twice the id ${id}`);
    for (const attribute of ['aria-labelledby', 'aria-describedby', 'for'])
        for (const node of all(`[${attribute}]`))
            if (!document.getElementById(node.getAttribute(attribute))) say(`${attribute} leads nowhere`, node);
    for (const field of all('input:not([type=hidden]),select,textarea'))
        if (!field.labels?.length && !field.getAttribute('aria-label')) say('a field without a label', field);
    for (const node of all('a[href],button,summary'))
        if (!(node.getAttribute('aria-label') ?? node.textContent).trim()) say('no name', node);
    // What is read aloud has to be found on the screen by who says it.
    for (const node of all('button[aria-label]'))
        if (!node.getAttribute('aria-label').toLowerCase().includes(node.textContent.trim().toLowerCase())) say('the name is not what is seen', node);
    for (const image of all('img')) if (image.getAttribute('alt') === null) say('an image without alt', image);
    for (const drawing of all('svg')) if (drawing.getAttribute('role') !== 'img' || !drawing.getAttribute('aria-label')) say('a drawing without words', drawing);
    for (const head of all('table:not(.log) th')) if (!head.scope) say('a heading of nothing', head);
    for (const table of all('table.list')) if (!table.tHead) say('a table without headings', table);
    for (const section of all('section')) if (!section.getAttribute('aria-labelledby')) say('a section without a name', section);
    if (all('[tabindex]').some(node => node.tabIndex > 0)) say('an order of its own');
    for (const box of all('pre')) if (box.tabIndex !== 0) say('what scrolls cannot be reached', box);
    if (!all('[role=status]').some(node => node.id === 'live')) say('nobody is told that the page is live');
    return wrong;
})()";

#[test]
fn every_screen_is_in_order_for_a_screen_reader() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    for width in [1280, 390] {
        tab.size(width, 900);
        for (name, path) in screens(&program) {
            tab.open(&program.url(&path));
            let wrong = tab.eval(AUDIT);
            assert_eq!(wrong.as_array().map(Vec::len), Some(0), "{name} at {width}: {wrong:#}");
        }
    }
}

fn tab_on(tab: &mut Tab<'_>) -> String {
    tab.key("Tab", "Tab");
    let what = "(() => { const it = document.activeElement; if (it === document.body) return '';
        const seen = getComputedStyle(it), box = it.getBoundingClientRect();
        if (seen.outlineStyle === 'none' || parseFloat(seen.outlineWidth) < 2) throw new Error('the focus is not seen: ' + it.outerHTML);
        if (box.bottom < 0 || box.top > innerHeight) throw new Error('it is off the screen: ' + it.outerHTML);
        (window.reached ??= new Set()).add(it.outerHTML);
        return it.getAttribute('aria-label') ?? it.innerText.trim(); })()";
    tab.eval(what).as_str().unwrap_or_default().to_owned()
}

#[test]
fn everything_is_reached_by_the_tab_key_and_is_seen_to_be() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    for (name, path) in screens(&program) {
        tab.open(&program.url(&path));
        assert_eq!(tab_on(&mut tab), "Skip to the content", "{name}");
        let seen = tab.eval(
            "(() => { const box = document.activeElement.getBoundingClientRect(); return box.top >= 0; })()",
        );
        assert_eq!(seen, true, "{name}: the link to skip by is seen when it has the focus");
        let left = "[...document.querySelectorAll('a[href],button,input:not([type=hidden]),select,textarea,summary,pre')]
            .filter(it => it.checkVisibility() && !it.disabled && !window.reached?.has(it.outerHTML)).map(it => it.outerHTML)";
        for _ in 0..400 {
            if tab.eval(left).as_array().is_some_and(Vec::is_empty) {
                break;
            }
            tab_on(&mut tab);
        }
        assert_eq!(tab.eval(left), serde_json::json!([]), "{name}");
    }
}

/// Goes on by the tab key to what has a name.
fn tab_to(tab: &mut Tab<'_>, name: &str) {
    for _ in 0..300 {
        if tab_on(tab) == name {
            return;
        }
    }
    panic!("the tab key does not lead to {name}");
}

#[test]
fn every_action_is_done_by_the_keyboard_alone() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    let press = |tab: &mut Tab<'_>, name: &str| {
        tab_to(tab, name);
        tab.enter_to_follow();
    };
    let paused = |job: &str| program.jobs.snapshot().job(job).unwrap().paused;
    tab.open(&program.url(""));
    press(&mut tab, "Pause reminder_emails");
    assert!(paused("reminder_emails"));
    // The reader stands before what was done, not at the top of the page.
    assert!(tab.eval("document.activeElement.innerText").as_str().unwrap().contains("The job is paused"));
    press(&mut tab, "Resume this job");
    assert!(!paused("reminder_emails"));
    press(&mut tab, "Run now");
    tab.open(&program.url("/pool"));
    press(&mut tab, "Pause the queue payments");
    press(&mut tab, "Resume the queue payments");

    let run = last_run(&program, "reindex");
    tab.open(&program.url(&format!("/runs/{run}")));
    tab_to(&mut tab, "Cancel");
    tab.enter();
    tab.until("document.querySelector('#steer details').open");
    tab.key("Escape", "Escape");
    tab.until("!document.querySelector('#steer details').open");
    assert_eq!(tab.eval("document.activeElement.tagName"), "SUMMARY");
    tab.enter();
    tab.until("document.querySelector('#steer details').open");
    press(&mut tab, "Cancel this run");
    tab.until("document.querySelector('#state').innerText.includes('cancelled')");
    press(&mut tab, "Run again");

    tab.open(&program.url("/jobs/send_confirmation"));
    press(&mut tab, "Run with these arguments");

    tab.open(&program.url("/runs?job=send_confirmation&state=succeeded"));
    tab_to(&mut tab, &format!("Choose run {}", last_run(&program, "send_confirmation")));
    tab.key(" ", "Space");
    press(&mut tab, "Run again");
    assert!(tab.text("main").contains("1 run is queued once more"), "{}", tab.text("main"));
    let of = |state| program.jobs.runs().job("send_confirmation").state(state).list();
    tab.until("document.querySelectorAll('#runs tr').length === 7");
    assert_eq!(program.runtime.block_on(of(RunState::Succeeded)).len(), 7);
    no_complaints(&mut tab);
}

#[test]
fn what_the_reader_holds_is_left_alone_by_what_comes() {
    let program = Program::start(OFF);
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url("/runs"));
    let make = |order| {
        let made = program.jobs.now(send_confirmation { to: "ada".into(), order });
        program.runtime.block_on(async { made.await.unwrap().wait().await });
    };
    make(1);
    tab.open(&program.url("/runs"));
    tab.until("document.querySelector('#live').innerText === 'Live'");
    tab.eval("document.querySelector('#runs input').focus(); document.querySelector('#runs input').click()");
    make(2);
    tab.until("document.querySelectorAll('#runs tr').length === 2");
    assert_eq!(tab.eval("document.activeElement.name"), "run", "the focus stays where it was");
    assert_eq!(tab.eval("document.activeElement.checked"), true);
    no_complaints(&mut tab);
}

#[test]
fn no_single_character_does_anything() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    for (name, path) in screens(&program) {
        tab.open(&program.url(&path));
        tab.eval("window.taken = []; addEventListener('keydown', event => { if (event.defaultPrevented) taken.push(event.key); })");
        for key in (b'!'..=b'~').map(char::from) {
            tab.key(&key.to_string(), "");
        }
        assert_eq!(tab.eval("taken"), serde_json::json!([]), "{name}");
        assert_eq!(tab.eval("document.activeElement.tagName"), "BODY", "{name}");
    }
    tab.open(&program.url(""));
    tab.key_with("k", "KeyK", CONTROL);
    assert_eq!(tab.eval("document.activeElement.id"), "q");
}
