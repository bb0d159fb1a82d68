"""What document_analysis finds out about a text: its statistics, language, structure, readability and key phrases."""
