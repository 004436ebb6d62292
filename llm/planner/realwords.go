package planner

// realWords are frequent English words that are one or two letters away from a word
// of targets, and must not be corrected to it.
var realWords = words(`activate, actively, alive, anvil, aspiring, bacteria, bacterium, billions, bleaching, breaching, breaking, building, bullying, carts, chant, chants, charm, charms,
	charters, chats, cheek, chick, chuck, clair, clams, clerical, coalitions, codex, coles, cones, convened, converge, converted, conveyed, convictions, corey,
	cornered, coveted, critical, currency, daisy, daly, depleted, diagnostic, diagnostics, diameter, emergence, emergent, emery, emil, generals, generator, historic,
	incurred, informatics, informative, injured, inserted, inspired, instance, insulted, insulting, insure, integration, interactive, interest, interface, internet,
	intersect, intersection, intersections, issuance, iteration, iterations, lambs, latent, mafia, maia, mania, marcia, mariah, marian, marie, marin, marina, mario,
	marta, medial, mediation, medicaid, medieval, meditation, meditations, motoring, nodes, noses, patent, patents, patience, pavement, peddling, physicist, pleading,
	pleas, pounding, prone, recorders, roberta, roberto, shown, stomp, stoop, submarine, summaries, tanks, vials, visitors, wheat, width, witch, wrote`)
