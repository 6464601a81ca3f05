//! A picture of every screen, where they are wanted; and that all of them can be read.

use std::path::PathBuf;

use crate::browser::Browser;
use crate::program::Program;
use crate::{busy, last_run, screens};

/// Where pictures are wanted.
pub(crate) fn wanted() -> Option<PathBuf> {
    std::env::var_os("JOBS_SCREENSHOTS").map(PathBuf::from)
}

/// The least ratios of contrast of WCAG on the page, each with where it is: of a text to what is behind it, and of a
/// drawing or the edge of a field to what is around it.
pub(crate) const WORST_CONTRAST: &str = r"(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgb = (colour, under) => {
        canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1);
        canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * x + .7152 * y + .0722 * z;
    };
    const behind = (node) => {
        const chain = [];
        for (; node; node = node.parentElement) chain.unshift(getComputedStyle(node).backgroundColor);
        let colour = getComputedStyle(document.documentElement).colorScheme.includes('dark') && matchMedia('(prefers-color-scheme: dark)').matches ? '#000' : '#fff';
        for (const layer of chain) { const [r, g, b] = rgb(layer, colour); colour = `rgb(${r},${g},${b})`; }
        return colour;
    };
    const ratio = (colour, under) => {
        const [a, b] = [light(rgb(colour, under)), light(rgb(under, '#fff'))].sort((a, b) => b - a);
        return (a + .05) / (b + .05);
    };
    const worst = { text: [99, ''], shape: [99, ''] };
    const look = (kind, node, colour, under) => {
        const found = ratio(colour, under);
        const what = `${node.tagName} ${node.getAttribute('class')} ${(node.textContent ?? '').slice(0, 40)}`;
        if (found < worst[kind][0]) worst[kind] = [found, what];
    };
    for (const node of document.querySelectorAll('body *')) {
        const style = getComputedStyle(node);
        const own = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
        const box = node.getBoundingClientRect();
        if (box.width < 2 || style.visibility === 'hidden') continue;
        if (own && !node.closest('svg')) look('text', node, style.color, behind(node));
        if (node.matches('input:not([type=checkbox]), select, textarea')) {
            look('text', node, style.color, behind(node));
            look('text', node, getComputedStyle(node, '::placeholder').color, behind(node));
            look('shape', node, style.borderTopColor, behind(node.parentElement));
        }
        if (node.matches('svg rect')) look('shape', node, style.fill, behind(node.closest('svg')));
    }
    return worst;
})()";

#[test]
fn every_screen_is_readable_in_light_and_dark() {
    for program in [busy(), Program::with_history()] {
        let has_history = program.runtime.block_on(program.jobs.runs().list()).len() == 100;
        let mut all = screens(&program);
        if has_history {
            all.push(("job-slots", "/jobs/shrink_images".into()));
            all.push(("job-paused", "/jobs/heartbeat".into()));
            all.push(("run-queued", format!("/runs/{}", last_run(&program, "shrink_images"))));
        }
        let mut browser = Browser::start();
        let mut tab = browser.tab();
        for (name, path) in all {
            for (scheme, dark, width) in [("light", false, 1280), ("dark", true, 1280), ("phone", false, 390)]
            {
                tab.size(width, 900);
                tab.dark(dark);
                tab.open(&program.url(&path));
                let worst = tab.eval(WORST_CONTRAST);
                if let Some(folder) = wanted().filter(|_| has_history) {
                    tab.picture(&folder.join(format!("{name}-{scheme}.png")));
                }
                let (text, shape) = (worst["text"][0].as_f64().unwrap(), worst["shape"][0].as_f64().unwrap());
                assert!(text >= 4.5 && shape >= 3.0, "{name} {scheme}: {worst}");
            }
        }
    }
}
