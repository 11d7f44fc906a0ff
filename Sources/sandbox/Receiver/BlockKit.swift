import JSON

/// The limits of Slack's Block Kit, counted in Unicode scalars.
struct BlockKit {
    private var names: Set<String> = []
    private var markdownCount = 0

    /// What a rule of Slack's forbids.
    struct Problem: Error, Equatable {
        let text: String
        init(_ text: String) { self.text = text }
    }

    /// - Throws: `Problem` with the first rule that is broken.
    static func check(_ blocks: JSONValue) throws(Problem) {
        guard let list = blocks.array else { throw Problem("blocks is no list") }
        guard list.count <= 50 else { throw Problem("\(list.count) blocks, at most 50") }
        var kit = BlockKit()
        for (place, block) in list.enumerated() {
            do throws(Problem) { try kit.check(block: block) } catch {
                throw Problem("blocks[\(place)]: \(error.text)")
            }
        }
    }

    private mutating func check(block: JSONValue) throws(Problem) {
        guard block.members != nil, let type = block["type"]?.string else { throw Problem("no type") }
        try claim(block["block_id"], as: "block_id")
        switch type {
        case "header": try text(block["text"], 1...150, "text", plain: true)
        case "section": try section(block)
        case "context":
            for element in try list(block["elements"], 1...10, "elements") {
                if element["type"] == "image" { try image(element) } else { try text(element, 1...3_000, "element") }
            }
        case "actions": for element in try list(block["elements"], 1...25, "elements") { try button(element) }
        case "image": try image(block)
        case "markdown":
            markdownCount += try length(block["text"], 1...12_000, "text")
            guard markdownCount <= 12_000 else { throw Problem("more than 12000 characters of markdown in a message") }
        case "divider", "rich_text", "video": break
        default: throw Problem("no block is called \(type)")
        }
    }

    private mutating func section(_ block: JSONValue) throws(Problem) {
        guard block["text"] != nil || block["fields"] != nil else { throw Problem("neither text nor fields") }
        if let text = block["text"] { try self.text(text, 1...3_000, "text") }
        if let fields = block["fields"] {
            for field in try list(fields, 1...10, "fields") { try text(field, 1...2_000, "field") }
        }
        if let accessory = block["accessory"] {
            if accessory["type"] == "image" { try image(accessory) } else { try button(accessory) }
        }
    }

    private mutating func button(_ element: JSONValue) throws(Problem) {
        guard element["type"] == "button" else { return }  // Menus and date pickers: nothing of ours sends them.
        try text(element["text"], 1...75, "button text", plain: true)
        if let url = element["url"] { _ = try length(url, 1...3_000, "url") }
        if let value = element["value"] { _ = try length(value, 1...2_000, "value") }
        if let style = element["style"] {
            guard style == "primary" || style == "danger" else { throw Problem("style is primary or danger") }
        }
        try claim(element["action_id"], as: "action_id")
        guard let confirm = element["confirm"] else { return }
        try text(confirm["title"], 1...100, "confirm title", plain: true)
        try text(confirm["text"], 1...300, "confirm text")
        try text(confirm["confirm"], 1...30, "confirm button", plain: true)
        try text(confirm["deny"], 1...30, "deny button", plain: true)
    }

    private func image(_ element: JSONValue) throws(Problem) {
        _ = try length(element["image_url"], 1...3_000, "image_url")
        _ = try length(element["alt_text"], 1...2_000, "alt_text")
        if let title = element["title"] { try text(title, 1...2_000, "title", plain: true) }
    }

    /// `block_id` and `action_id` name one thing in a message.
    private mutating func claim(_ value: JSONValue?, as field: String) throws(Problem) {
        guard let value else { return }
        _ = try length(value, 1...255, field)
        guard names.insert("\(field) \(value.string ?? "")").inserted else { throw Problem("\(field) is used twice") }
    }

    private func text(_ value: JSONValue?, _ limits: ClosedRange<Int>, _ field: String, plain: Bool = false)
        throws(Problem)
    {
        let types = plain ? ["plain_text"] : ["plain_text", "mrkdwn"]
        guard let type = value?["type"]?.string, types.contains(type) else {
            throw Problem("\(field) is not of the type \(types.joined(separator: " or "))")
        }
        _ = try length(value?["text"], limits, field)
    }

    private func length(_ value: JSONValue?, _ limits: ClosedRange<Int>, _ field: String) throws(Problem) -> Int {
        guard let text = value?.string else { throw Problem("\(field) is missing") }
        let count = text.unicodeScalars.count
        guard limits.contains(count) else { throw Problem("\(field) has \(count) characters, not \(limits)") }
        return count
    }

    private func list(_ value: JSONValue?, _ limits: ClosedRange<Int>, _ field: String) throws(Problem) -> [JSONValue] {
        guard let list = value?.array, limits.contains(list.count) else {
            throw Problem("\(field) are \(value?.array?.count ?? 0), not \(limits)")
        }
        return list
    }
}
