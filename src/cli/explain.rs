//! `sunhaul explain`: what a class of failure means, its usual causes, and what to do.

use clap::builder::NonEmptyStringValueParser;

use super::help::{self, Block};
use super::problem::unknown_name;
use super::{Exit, Result, Shell, pager};
use crate::failure::Class;
use crate::untrusted::escape;

/// Explain a failure class: its meaning, its usual causes, and what to do.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Explain a failure class: its meaning, its usual causes, and what to do.\n\n\
        Reports, logs and messages name the class of each failure, such as `fits-checksum`. Without a class, all of them \
        are listed.",
    after_help = "Examples:\n  sunhaul explain\n  sunhaul explain fits-checksum\n  sunhaul explain stalled throttled"
)]
pub(super) struct Args {
    /// Failure classes.
    #[arg(value_name = "CLASS", value_parser = NonEmptyStringValueParser::new())]
    classes: Vec<String>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let page = help::blocks_of("failures");
    let blocks = if args.classes.is_empty() {
        list(&page)
    } else {
        let sections = args.classes.iter().map(|name| Ok(section(&page, class(name)?)));
        sections.collect::<Result<Vec<_>>>()?.concat()
    };
    pager::show(&help::text(&blocks, shell), shell.page.colour)?;
    Ok(Exit::Complete)
}

fn class(name: &str) -> Result<Class> {
    let class = Class::ALL.iter().find(|class| class.name() == name);
    class.copied().ok_or_else(|| {
        let known = Class::ALL.iter().map(|class| class.name());
        let message = format!("there is no failure class `{}`", escape(name));
        unknown_name(message, name, known, "`sunhaul explain` lists them").into()
    })
}

/// The part of the page of failures about a class, its heading first.
fn section(page: &[Block], class: Class) -> Vec<Block> {
    let is_heading = |block: &Block| matches!(block, Block::Heading { .. });
    let own = |block: &&Block| matches!(block, Block::Heading { text, .. } if text == class.name());
    let start = page.iter().position(|block| own(&block)).unwrap_or(page.len());
    let section = page[start..].iter().enumerate().take_while(|(number, block)| *number == 0 || !is_heading(block));
    section.map(|(_, block)| block.clone()).collect()
}

/// Every class with what it means.
fn list(page: &[Block]) -> Vec<Block> {
    let mut list = vec![Block::Paragraph("The failure classes; `sunhaul explain CLASS` says what to do:".to_owned())];
    for class in Class::ALL {
        let meaning = section(page, *class).into_iter().find_map(|block| match block {
            Block::Paragraph(text) => Some(text),
            _ => None,
        });
        let text = format!("`{class}`: {}", meaning.unwrap_or_default());
        list.push(Block::Item { mark: "-".to_owned(), text });
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_explained_by_its_own_section() {
        let page = help::blocks_of("failures");
        for class in Class::ALL {
            let section = section(&page, *class);
            assert!(section.len() >= 4, "{class}: {section:?}");
            assert_eq!(section[0], Block::Heading { level: 2, text: class.name().to_owned() });
            assert!(!section[1..].iter().any(|block| matches!(block, Block::Heading { .. })), "{section:?}");
        }
        assert_eq!(list(&page).len(), Class::ALL.len() + 1);
    }
}
