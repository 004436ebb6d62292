package hero

// A Shape is a layout for one kind of screen. Sizes are in units of the view box.
type Shape struct {
	name   string
	width  float64
	height float64 // that rows are stretched to fill
	phone  bool

	trunk   float64 // width of the app's trunk
	laneX   float64
	laneW   float64
	gateX   float64 // center
	gateW   float64
	pillX   float64
	doorX   float64 // center of the records API's own check, where a stolen token stops
	folderX float64

	caption, agent, scope, meta float64 // font sizes
	pillH                       float64
	rowMin, rowMax              float64
	tightens                    bool // closer spacing before the picture grows higher
	open                        int  // lanes that show their rows; the others collapse to their header
	wordy                       bool
}

// WithHeight returns the shape with rows that are stretched to another height.
func (s Shape) WithHeight(h float64) Shape {
	s.height = h
	return s
}

// stolen returns the shape for a run whose token was stolen. The records API's own
// check needs a column, and the app's trunk gives way to it.
func (s Shape) stolen() Shape {
	if s.name == Wall.name {
		s.trunk, s.laneX, s.laneW, s.gateX, s.pillX, s.folderX = 0, 2, 435, 462, 506, 984
	}
	return s
}

// The three shapes.
var (
	Desk = Shape{name: "desk", width: 800, height: 300, trunk: 8, laneX: 46, laneW: 322, gateX: 380, gateW: 12, pillX: 400, doorX: 690, folderX: 722,
		caption: 14.5, agent: 17, scope: 15, meta: 14, pillH: 29, rowMin: 30, rowMax: 56, open: 4}
	Wall = Shape{name: "wall", width: 1216, height: 400, tightens: true, trunk: 12, laneX: 60, laneW: 490, gateX: 572, gateW: 20, pillX: 618, doorX: 894, folderX: 1070,
		caption: 20, agent: 25, scope: 20.5, meta: 20, pillH: 42, rowMin: 48, rowMax: 96, open: 2, wordy: true}
	Phone = Shape{name: "phone", width: 332, height: 300, phone: true, laneX: 0, laneW: 332, gateW: 19,
		caption: 14, agent: 17, scope: 13.5, meta: 13, pillH: 30, rowMin: 34, rowMax: 34, open: 2}
)
