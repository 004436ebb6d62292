// Package ui holds what all pages share on screen: the layout around a page,
// scopes as chips, and the vocabulary of meanings (allowed, denied, delegated,
// alive, ended) with a sign and a color class each. It knows no page and no
// run: each page package has its own views beside its handlers.
package ui
