// Package stage serves the pages of a talk: the presenter's page (/present), the
// stage for the projector (/stage), the page that phones follow (/follow), and the
// link to it.
//
//	where the talk stands   progress.go      act, version, timer
//	what was chosen         state.go         all of that, shared by replicas
//	what the room sees      show.go          scene, look; one at a time
//	a run on the stage      performance.go   the projection of its events
//	how it looks            scene.templ      the same scene for wall and phone
//	how it gets there       broadcast.go     each change encoded once per layout
//	who drives it           present.go       the presenter's page and its requests
//
// Exactly one scene is on the stage: an act's title, a run, or a page such as the
// audit log. Every viewer of a layout receives the same messages; one that joins
// later receives the scene as one message first. A viewer can change nothing: all
// controls are on the presenter's page.
//
// What the presenter chooses is a value that the replicas of the app share: a request
// changes it by compare-and-save at the replica that it reaches, and each replica
// shows it to its own viewers. A viewer that reaches another replica, whose messages
// have other IDs, receives the scene once as one message.
package stage
