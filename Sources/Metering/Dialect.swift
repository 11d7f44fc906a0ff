/// Whose manners a route has: shapes of bodies, usage, streams and errors.
package enum Dialect: String, CaseIterable, Hashable, Sendable {
    /// OpenAI, Azure OpenAI and whatever is compatible.
    case openai
    /// Anthropic's Messages API.
    case anthropic
}
