//! The tree of a query: nodes in one arena, each with its first child and its next sibling.
//!
//! Parentheses that only group are not in the tree. Chains of `AND` and of `OR` are one node with
//! many children; a chain that stood in parentheses inside of another stays a node of its own.
use super::kind::Kind;
use super::token::Span;

/// Place of a node in its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

const NONE: u32 = u32::MAX;

/// One node.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Levels below it, itself included.
    pub(super) height: u16,
    /// Where it stands in the text; parentheses around it are not counted in.
    pub span: Span,
    first: u32,
    next: u32,
}

/// The nodes of one query.
#[derive(Default)]
pub(super) struct Arena {
    pub(super) nodes: Vec<Node>,
}

/// Children of a node while they are gathered.
#[derive(Clone, Copy)]
pub(super) struct Children {
    first: u32,
    last: u32,
    height: u16,
}

impl Children {
    pub(super) const NONE: Children = Children { first: NONE, last: NONE, height: 0 };
}

impl Arena {
    /// Appends `node` to `children`. It must not be a child of anything yet.
    pub(super) fn append(&mut self, children: &mut Children, node: NodeId) {
        if let Some(last) = self.nodes.get_mut(children.last as usize) {
            last.next = node.0;
        } else {
            children.first = node.0;
        }
        children.last = node.0;
        let height = self.nodes.get(node.0 as usize).map_or(0, |node| node.height);
        children.height = children.height.max(height);
    }

    /// A new node, and the levels below it.
    pub(super) fn push(&mut self, kind: Kind, span: Span, children: Children) -> (NodeId, u16) {
        let id = NodeId(self.nodes.len() as u32);
        let height = children.height.saturating_add(1);
        self.nodes.push(Node { kind, height, span, first: children.first, next: NONE });
        (id, height)
    }

    pub(super) fn span(&self, node: NodeId) -> Span {
        self.nodes.get(node.0 as usize).map_or(Span::default(), |node| node.span)
    }

    pub(super) fn kind(&self, node: NodeId) -> Option<Kind> {
        self.nodes.get(node.0 as usize).map(|node| node.kind)
    }

    /// The children of `node`, to which others may be appended.
    pub(super) fn reopen(&self, node: NodeId) -> Children {
        let Some(parent) = self.nodes.get(node.0 as usize) else { return Children::NONE };
        let mut last = parent.first;
        while let Some(child) = self.nodes.get(last as usize)
            && child.next != NONE
        {
            last = child.next;
        }
        Children { first: parent.first, last, height: parent.height.saturating_sub(1) }
    }
}

/// A parsed query: its text, tokens, comments and tree. Its `Debug` shows none of the text.
#[derive(Clone, Copy)]
pub struct Query<'q> {
    pub(super) text: &'q [u8],
    pub(super) tokens: &'q [super::Token],
    pub(super) comments: &'q [Span],
    pub(super) nodes: &'q [Node],
    pub(super) root: NodeId,
}

impl std::fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query")
            .field("bytes", &self.text.len())
            .field("tokens", &self.tokens.len())
            .field("nodes", &self.nodes.len())
            .field("comments", &self.comments.len())
            .finish_non_exhaustive()
    }
}

const NO_NODE: Node = Node {
    kind: Kind::Undefined,
    height: 0,
    span: Span { start: 0, end: 0 },
    first: NONE,
    next: NONE,
};

impl<'q> Query<'q> {
    /// The text that was parsed.
    pub fn text(&self) -> &'q [u8] {
        self.text
    }

    /// All tokens, the end included.
    pub fn tokens(&self) -> &'q [super::Token] {
        self.tokens
    }

    /// Comments to the end of a line, each with its dashes.
    pub fn comments(&self) -> &'q [Span] {
        self.comments
    }

    /// The whole query's node.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &'q Node {
        self.nodes.get(id.0 as usize).unwrap_or(&NO_NODE)
    }

    /// What a node is.
    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).kind
    }

    /// The text of a node.
    pub fn slice(&self, id: NodeId) -> &'q [u8] {
        self.node(id).span.of(self.text)
    }

    /// The children of a node, in order.
    pub fn children(&self, id: NodeId) -> ChildIter<'q> {
        ChildIter { nodes: self.nodes, next: self.node(id).first }
    }

    /// The first child of a node.
    pub fn first_child(&self, id: NodeId) -> Option<NodeId> {
        self.children(id).next()
    }

    /// The clause of a query that `wanted` picks.
    pub fn clause(&self, query: NodeId, wanted: impl Fn(Kind) -> bool) -> Option<NodeId> {
        self.children(query).find(|&child| wanted(self.kind(child)))
    }

    /// The name that a `Field` or `Quoted` step, or an object's key, is: raw, without its quotes.
    pub fn name(&self, id: NodeId) -> &'q [u8] {
        let slice = self.slice(id);
        match self.kind(id) {
            Kind::Quoted | Kind::String => slice.get(1..slice.len().max(2) - 1).unwrap_or_default(),
            _ => slice,
        }
    }
}

/// The children of a node.
#[derive(Clone)]
pub struct ChildIter<'q> {
    nodes: &'q [Node],
    next: u32,
}

impl Iterator for ChildIter<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let id = self.next;
        self.next = self.nodes.get(id as usize)?.next;
        Some(NodeId(id))
    }
}
